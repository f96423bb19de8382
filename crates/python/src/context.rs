//! Which span is current, by `contextvars`: a task, a thread and a copied context each see what
//! was current when they were made, and change it for themselves only.
//!
//! A `ContextVar` holds a [`Cell`], which holds the innermost open span. Setting the variable for
//! each span would be right and slow: two new nodes of a hash trie, and a token. So a cell that
//! nobody but the current context can see is changed in place. Whether that is so can be read: the
//! context's trie has one owner, its root has one owner, the root holds the cell, and the cell has
//! one owner but us. As soon as somebody copies the context, one of the counts is two, and the
//! next change makes a new cell. Where the fields lie is found out when the module is loaded, and
//! tried; on an interpreter that has them elsewhere the variable is set each time.
//!
//! PERF: a span with cells changed in place and with the variable set: 129 and 403 ns
//! (`bench/python_spans.py`, 2-core VM, CPython 3.11).

use crate::object::{Guarded, Head, Object, TypeBuilder, api, decref, new_ref, xdecref};
use crate::span::Span;
use crate::tasks;
use pyo3::ffi as py;
use std::ptr::null_mut;

/// The innermost open span of the contexts that share this cell.
#[repr(C)]
pub(crate) struct Cell {
    head: Head,
    /// Null for none.
    top: *mut Span,
}

/// Where CPython keeps what, in words from the start of an object.
#[derive(Clone, Copy)]
struct Layout {
    /// The current context, in the thread's state.
    context: usize,
    /// The trie, in a context.
    trie: usize,
    /// The root, in a trie.
    root: usize,
    /// The type of a root that holds keys and values side by side.
    flat: *mut py::PyTypeObject,
}

/// Words of such a root before its first key: head, length, which keys there are.
const FLAT_HEAD: usize = 4;
/// Where its length is.
const FLAT_LENGTH: usize = 2;

struct State {
    variable: Object,
    kind: *mut py::PyTypeObject,
    layout: Option<Layout>,
    /// The cell used last, and its word in the root that holds it. The reference is ours.
    last: *mut Cell,
    slot: usize,
}

static STATE: Guarded<State> = Guarded::new(State {
    variable: null_mut(),
    kind: null_mut(),
    layout: None,
    last: null_mut(),
    slot: 0,
});

/// The low half of a reference count, which is all of it for what can be had once.
#[inline(always)]
unsafe fn is_only(object: *const usize, references: u32) -> bool {
    // SAFETY: the caller has a live object.
    unsafe { *object.cast::<u32>() == references }
}

/// The word that holds the cell in the current context's root, if nobody else can see it.
#[inline(always)]
unsafe fn owned_slot(layout: Layout, cell: *mut Cell, slot: usize, references: u32) -> bool {
    // SAFETY: each step goes from a live object to one that it owns, by offsets that `find_layout`
    // has tried.
    unsafe {
        let context = word(py::PyThreadState_Get().cast(), layout.context);
        if context.is_null() {
            return false;
        }
        let trie = word(context, layout.trie);
        let root = word(trie, layout.root);
        is_only(trie, 1)
            && is_only(root, 1)
            && (*root.cast::<Head>()).kind == layout.flat
            && slot < FLAT_HEAD + *root.add(FLAT_LENGTH)
            && word(root, slot) == cell.cast::<usize>()
            && is_only(cell.cast(), references)
    }
}

#[inline(always)]
unsafe fn word(object: *const usize, at: usize) -> *const usize {
    // SAFETY: as the caller says: the object has that word, and it is an address.
    unsafe { *object.add(at) as *const usize }
}

/// The word of the current context's root that holds `cell`; 0 where it lies deeper.
unsafe fn find_slot(layout: Layout, cell: *mut Cell) -> usize {
    // SAFETY: as in `owned_slot`.
    unsafe {
        let context = word(py::PyThreadState_Get().cast(), layout.context);
        if context.is_null() {
            return 0;
        }
        let root = word(word(context, layout.trie), layout.root);
        if (*root.cast::<Head>()).kind != layout.flat {
            return 0;
        }
        let end = FLAT_HEAD + *root.add(FLAT_LENGTH);
        (FLAT_HEAD..end)
            .find(|at| word(root, *at) == cell.cast::<usize>())
            .unwrap_or(0)
    }
}

/// The current context's cell, and whether it may be changed in place. Null for none. Borrowed.
#[inline(always)]
unsafe fn cell() -> (*mut Cell, bool) {
    // SAFETY: the GIL is held, and the state is ours.
    unsafe {
        let state = STATE.get();
        let last = (*state).last;
        // Ours and the root's.
        if let Some(layout) = (*state).layout
            && !last.is_null()
            && owned_slot(layout, last, (*state).slot, 2)
        {
            return (last, true);
        }
        cell_of_variable()
    }
}

#[inline(never)]
unsafe fn cell_of_variable() -> (*mut Cell, bool) {
    // SAFETY: as in `cell`.
    unsafe {
        let state = STATE.get();
        let mut value = null_mut();
        if (api().variable_get)((*state).variable, null_mut(), &mut value) < 0 {
            py::PyErr_Clear();
            return (null_mut(), false);
        }
        if value.is_null() {
            return (null_mut(), false);
        }
        let cell: *mut Cell = value.cast();
        keep(cell);
        // `last` holds it now, and the context did before.
        decref(value);
        match (*state).layout {
            Some(layout) => {
                let slot = (*state).slot;
                (cell, slot != 0 && owned_slot(layout, cell, slot, 2))
            }
            None => (cell, false),
        }
    }
}

/// Makes `cell` the one used last.
unsafe fn keep(cell: *mut Cell) {
    // SAFETY: as in `cell`; the old one is let go when the state holds the new one.
    unsafe {
        let state = STATE.get();
        let before = (*state).last;
        if before != cell {
            tasks::context_changed();
            (*state).last = new_ref(cell.cast()).cast();
            xdecref(before.cast());
        }
        (*state).slot = match (*state).layout {
            Some(layout) => find_slot(layout, cell),
            None => 0,
        };
    }
}

/// Makes a new cell with `top`, whose reference it takes, the current context's.
#[inline(never)]
unsafe fn set(top: *mut Span) {
    // SAFETY: as in `cell`.
    unsafe {
        let state = STATE.get();
        let cell: *mut Cell = py::PyType_GenericAlloc((*state).kind, 0).cast();
        if cell.is_null() {
            py::PyErr_Clear();
            xdecref(top.cast());
            return;
        }
        (*cell).top = top;
        let token = (api().variable_set)((*state).variable, cell.cast());
        if token.is_null() {
            py::PyErr_Clear();
        } else {
            decref(token);
        }
        keep(cell);
        decref(cell.cast());
    }
}

/// The innermost open span, borrowed; null for none.
#[inline(always)]
pub(crate) unsafe fn top() -> *mut Span {
    // SAFETY: the GIL is held; a cell that is there is whole.
    unsafe {
        let (cell, _) = cell();
        if cell.is_null() {
            return null_mut();
        }
        open_one((*cell).top)
    }
}

/// Makes `span` (whose reference it takes; null for none) current and returns what was before, as
/// a reference.
#[inline(always)]
pub(crate) unsafe fn swap(span: *mut Span) -> *mut Span {
    // SAFETY: as in `top`.
    unsafe {
        let (cell, is_owned) = cell();
        if is_owned {
            return std::mem::replace(&mut (*cell).top, span);
        }
        let before = if cell.is_null() {
            null_mut()
        } else {
            (*cell).top
        };
        if !before.is_null() {
            crate::object::incref(before.cast());
        }
        if before != span {
            set(span);
        } else {
            xdecref(span.cast());
        }
        before
    }
}

/// Where `span` is current, makes `parent` (whose reference it takes) current. Elsewhere gives the
/// parent up and returns false: the span ends while another is current.
#[inline(always)]
pub(crate) unsafe fn leave(span: *mut Span, parent: *mut Span) -> bool {
    // SAFETY: as in `top`.
    unsafe {
        let (cell, is_owned) = cell();
        let is_current = !cell.is_null() && (*cell).top == span;
        if !is_current {
            xdecref(parent.cast());
        } else if is_owned {
            (*cell).top = parent;
            decref(span.cast());
        } else {
            set(parent);
        }
        is_current
    }
}

/// The nearest span from `span` on outwards that did not end out of turn. Borrowed.
#[inline(always)]
pub(crate) unsafe fn open_one(mut span: *mut Span) -> *mut Span {
    // SAFETY: a span that ended out of turn keeps its parent for this.
    unsafe {
        while !span.is_null() && (*span).ended_out_of_turn() {
            span = (*span).parent();
        }
    }
    span
}

unsafe extern "C" fn dealloc(cell: Object) {
    // SAFETY: Python ends an object of ours.
    unsafe {
        let kind = crate::object::type_of(cell);
        xdecref((*cell.cast::<Cell>()).top.cast());
        py::PyObject_Free(cell.cast());
        decref(kind.cast());
    }
}

/// Makes the variable, and finds out where contexts keep theirs. False with an exception set.
pub(crate) unsafe fn init() -> bool {
    // SAFETY: the GIL is held, and nothing of this module is in use yet.
    unsafe {
        let state = STATE.get();
        (*state).kind = TypeBuilder::new::<Cell>(c"sondage._native.Cell", c"What is current.")
            .without_new()
            .slot(py::Py_tp_dealloc, dealloc as *mut _)
            .build();
        if (*state).kind.is_null() {
            return false;
        }
        (*state).variable = (api().variable_new)(c"sondage.span".as_ptr(), null_mut());
        if (*state).variable.is_null() {
            return false;
        }
        (*state).layout = find_layout();
        py::PyErr_Clear();
        true
    }
}

/// Whether spans change the current one in place.
pub(crate) fn is_in_place() -> bool {
    // SAFETY: the GIL is held by who asks.
    unsafe { (*STATE.get()).layout.is_some() }
}

/// Looks for the words in two contexts of our own; `None` unless all are where they must be in
/// both.
unsafe fn find_layout() -> Option<Layout> {
    // SAFETY: reads words inside live objects only: of a thread's state the first 48, which every
    // version has, of others as many as their type says.
    unsafe {
        let variable = (*STATE.get()).variable;
        let first = try_context(variable)?;
        let second = try_context(variable)?;
        (first.context == second.context
            && first.trie == second.trie
            && first.root == second.root
            && first.flat == second.flat)
            .then_some(first)
    }
}

unsafe fn try_context(variable: Object) -> Option<Layout> {
    // SAFETY: as in `find_layout`. The context is left again whatever is found in it.
    unsafe {
        let context = (api().context_new)();
        if context.is_null() || (api().context_enter)(context) < 0 {
            return None;
        }
        let cell = py::PyType_GenericAlloc((*STATE.get()).kind, 0);
        let token = (api().variable_set)(variable, cell);
        let found = if token.is_null() {
            None
        } else {
            look(context, variable, cell)
        };
        xdecref(token);
        (api().context_exit)(context);
        decref(cell);
        decref(context);
        found
    }
}

unsafe fn look(context: Object, variable: Object, cell: Object) -> Option<Layout> {
    const STATE_WORDS: usize = 48;
    // SAFETY: as in `find_layout`.
    unsafe {
        let state: *const usize = py::PyThreadState_Get().cast();
        let in_state = only((0..STATE_WORDS).filter(|at| *state.add(*at) == context as usize))?;
        let trie = referent(context, "hamt")?;
        let root = referent(trie, "hamt_bitmap_node")?;
        let in_context = only(words(context).filter(|at| word_is(context, *at, trie)))?;
        let in_trie = only(words(trie).filter(|at| word_is(trie, *at, root)))?;
        let is_flat = *root.cast::<usize>().add(FLAT_LENGTH) == 2
            && word_is(root, FLAT_HEAD, variable)
            && word_is(root, FLAT_HEAD + 1, cell);
        let layout = Layout {
            context: in_state,
            trie: in_context,
            root: in_trie,
            flat: crate::object::type_of(root),
        };
        // Held by the root, the token (which remembers what was before: nothing) and us.
        let is_counted = is_only(trie.cast(), 1) && is_only(root.cast(), 1);
        let is_owned = owned_slot(layout, cell.cast(), FLAT_HEAD + 1, 2);
        (is_flat && is_counted && is_owned).then_some(layout)
    }
}

fn only(mut found: impl Iterator<Item = usize>) -> Option<usize> {
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

unsafe fn word_is(object: Object, at: usize, what: Object) -> bool {
    // SAFETY: as in `find_layout`.
    unsafe { *object.cast::<usize>().add(at) == what as usize }
}

/// The words of an object behind its head.
unsafe fn words(object: Object) -> std::ops::Range<usize> {
    // SAFETY: as in `find_layout`.
    unsafe {
        let kind: Object = crate::object::type_of(object).cast();
        let size = py::PyObject_GetAttrString(kind, c"__basicsize__".as_ptr());
        if size.is_null() {
            py::PyErr_Clear();
            return 0..0;
        }
        let bytes = py::PyLong_AsSsize_t(size);
        decref(size);
        2..usize::try_from(bytes).unwrap_or(0) / size_of::<usize>()
    }
}

/// What `object` refers to whose type is called `name`, as the garbage collector sees it. Borrowed:
/// `object` keeps it.
unsafe fn referent(object: Object, name: &str) -> Option<Object> {
    // SAFETY: as in `find_layout`.
    unsafe {
        let list = crate::object::call_in(c"gc", c"get_referents", &[object]);
        if list.is_null() {
            return None;
        }
        let found = (0..py::PyList_Size(list))
            .map(|at| py::PyList_GetItem(list, at))
            .find(|each| {
                let kind = py::PyType_GetName(crate::object::type_of(*each));
                let is_it = crate::object::text_of(kind) == name;
                xdecref(kind);
                is_it
            });
        decref(list);
        found
    }
}
