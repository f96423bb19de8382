//! Python objects made by hand: reference counts, types, calls.
//!
//! A span is a few nanoseconds' work, and what a class of pyo3 adds to each call is as much again.
//! So the types on the hot path are built here on the stable ABI's functions; all else is pyo3's.
//! Functions that the stable ABI lacks but every CPython has are looked up by name ([`Api`]).

use pyo3::ffi as py;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr::null_mut;
use std::sync::OnceLock;

pub(crate) use pyo3::ffi::PyObject;

/// An object by its address, as C has it.
pub(crate) type Object = *mut PyObject;

/// A call by position, without a tuple.
pub(crate) type Vectorcall = unsafe extern "C" fn(Object, *const Object, usize, Object) -> Object;

/// The bit of a vectorcall's number of arguments that is no number.
pub(crate) const OFFSET_BIT: usize = 1 << (usize::BITS - 1);

/// What the head of an object is. Builds with a GIL only: the wheel is not one for others.
#[repr(C)]
pub(crate) struct Head {
    pub count: usize,
    pub kind: *mut py::PyTypeObject,
}

/// One more reference to an object.
///
/// PERF: inline, where the stable ABI's own is a call. Immortal objects have a negative low half
/// since 3.12, and keep it; before, no count comes that far. A span with both inline and as calls: 129 and
/// 146 ns (`bench/python_spans.py`, 2-core VM, CPython 3.11).
#[inline(always)]
pub(crate) unsafe fn incref(object: Object) {
    // SAFETY: the caller has a live object; its first four bytes are the low half of the count.
    unsafe {
        let count = object.cast::<i32>();
        if *count >= 0 {
            *count += 1;
        }
    }
}

/// One reference less; the last one ends the object.
#[inline(always)]
pub(crate) unsafe fn decref(object: Object) {
    // SAFETY: the caller owns a reference to a live object and gives it up.
    unsafe {
        let count = object.cast::<i32>();
        if *count > 1 {
            *count -= 1;
        } else if *count == 1 {
            py::Py_DecRef(object);
        }
    }
}

/// Whether nobody else has a reference.
#[inline(always)]
pub(crate) unsafe fn is_last(object: Object) -> bool {
    // SAFETY: the caller has a live object.
    unsafe { *object.cast::<i32>() == 1 }
}

/// Gives up a reference where there is one.
#[inline(always)]
pub(crate) unsafe fn xdecref(object: Object) {
    if !object.is_null() {
        // SAFETY: as the caller says.
        unsafe { decref(object) }
    }
}

/// The object, with one more reference.
#[inline(always)]
pub(crate) unsafe fn new_ref(object: Object) -> Object {
    // SAFETY: as the caller says.
    unsafe { incref(object) };
    object
}

/// `None`, with one more reference.
#[inline(always)]
pub(crate) fn none() -> Object {
    // SAFETY: `None` lives for ever.
    unsafe { new_ref(py::Py_None()) }
}

/// The type of an object.
#[inline(always)]
pub(crate) unsafe fn type_of(object: Object) -> *mut py::PyTypeObject {
    // SAFETY: the caller has a live object.
    unsafe { (*object.cast::<Head>()).kind }
}

/// Functions that every CPython from 3.11 has, and the stable ABI's list lacks.
pub(crate) struct Api {
    pub variable_new: unsafe extern "C" fn(*const c_char, Object) -> Object,
    pub variable_get: unsafe extern "C" fn(Object, Object, *mut Object) -> c_int,
    pub variable_set: unsafe extern "C" fn(Object, Object) -> Object,
    pub context_new: unsafe extern "C" fn() -> Object,
    pub context_enter: unsafe extern "C" fn(Object) -> c_int,
    pub context_exit: unsafe extern "C" fn(Object) -> c_int,
    pub call: Vectorcall,
    pub set_profile: SetProfile,
}

type SetProfile = unsafe extern "C" fn(Option<ProfileFunction>, Object);

/// What `PyEval_SetProfile` calls.
pub(crate) type ProfileFunction =
    unsafe extern "C" fn(Object, *mut py::PyFrameObject, c_int, Object) -> c_int;

static API: OnceLock<Api> = OnceLock::new();

/// The functions, once [`load_api`] found them.
#[inline(always)]
pub(crate) fn api() -> &'static Api {
    // SAFETY: the module does not finish its initialisation unless they were found, and nothing of
    // it is called before.
    unsafe { API.get().unwrap_unchecked() }
}

/// Finds the functions; the name of one that is missing otherwise.
pub(crate) fn load_api() -> Result<(), &'static CStr> {
    fn find(name: &'static CStr) -> Result<*mut c_void, &'static CStr> {
        // SAFETY: the name is a C string; the interpreter's own symbols are searched.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        if found.is_null() {
            Err(name)
        } else {
            Ok(found)
        }
    }
    macro_rules! function {
        ($name:literal: $kind:ty) => {
            // SAFETY: the symbol is CPython's function of that name, whose type has been the same
            // since 3.9.
            unsafe { std::mem::transmute::<*mut c_void, $kind>(find($name)?) }
        };
    }
    let api = Api {
        variable_new: function!(c"PyContextVar_New": unsafe extern "C" fn(*const c_char, Object) -> Object),
        variable_get: function!(c"PyContextVar_Get": unsafe extern "C" fn(Object, Object, *mut Object) -> c_int),
        variable_set: function!(c"PyContextVar_Set": unsafe extern "C" fn(Object, Object) -> Object),
        context_new: function!(c"PyContext_New": unsafe extern "C" fn() -> Object),
        context_enter: function!(c"PyContext_Enter": unsafe extern "C" fn(Object) -> c_int),
        context_exit: function!(c"PyContext_Exit": unsafe extern "C" fn(Object) -> c_int),
        call: function!(c"PyObject_Vectorcall": Vectorcall),
        set_profile: function!(c"PyEval_SetProfile": SetProfile),
    };
    let _ = API.set(api);
    Ok(())
}

/// Calls `callable` by position.
pub(crate) unsafe fn call(callable: Object, arguments: &[Object]) -> Object {
    // SAFETY: as the caller says: live objects all, and the GIL is held.
    unsafe { (api().call)(callable, arguments.as_ptr(), arguments.len(), null_mut()) }
}

/// `module.name`, imported if need be.
pub(crate) unsafe fn import(module: &CStr, name: &CStr) -> Object {
    // SAFETY: the GIL is held; both are C strings.
    unsafe {
        let module = py::PyImport_ImportModule(module.as_ptr());
        if module.is_null() {
            return null_mut();
        }
        let found = py::PyObject_GetAttrString(module, name.as_ptr());
        decref(module);
        found
    }
}

/// Calls `module.name` with `arguments`.
pub(crate) unsafe fn call_in(module: &CStr, name: &CStr, arguments: &[Object]) -> Object {
    // SAFETY: as the caller says.
    unsafe {
        let function = import(module, name);
        if function.is_null() {
            return null_mut();
        }
        let answer = call(function, arguments);
        decref(function);
        answer
    }
}

/// The text of a `str`; empty for anything else.
pub(crate) unsafe fn text_of<'a>(object: Object) -> &'a str {
    // SAFETY: the caller keeps the object as long as the text. A `str` keeps its UTF-8.
    unsafe {
        if object.is_null() || py::PyUnicode_Check(object) == 0 {
            return "";
        }
        let mut length = 0;
        let bytes = py::PyUnicode_AsUTF8AndSize(object, &mut length);
        if bytes.is_null() {
            // Lone surrogates have no UTF-8.
            py::PyErr_Clear();
            return "?";
        }
        std::str::from_utf8_unchecked(std::slice::from_raw_parts(bytes.cast(), length as usize))
    }
}

/// A new `str`.
pub(crate) fn new_text(text: &str) -> Object {
    // SAFETY: UTF-8 of that length; the GIL is held by whoever makes objects.
    unsafe { py::PyUnicode_FromStringAndSize(text.as_ptr().cast(), text.len() as isize) }
}

/// Raises `error` with `text`, and returns null for the caller to return.
pub(crate) unsafe fn raise(error: Object, text: &str) -> Object {
    // SAFETY: the GIL is held; `error` is an exception's class.
    unsafe {
        let text = new_text(text);
        if !text.is_null() {
            py::PyErr_SetObject(error, text);
            decref(text);
        }
    }
    null_mut()
}

/// An exception that is under way, taken away: class, value, traceback.
pub(crate) type Raised = [Object; 3];

/// Takes the exception that is under way.
pub(crate) unsafe fn take_error() -> Raised {
    let [mut kind, mut value, mut traceback] = [null_mut(); 3];
    // SAFETY: the GIL is held.
    unsafe { py::PyErr_Fetch(&mut kind, &mut value, &mut traceback) };
    [kind, value, traceback]
}

/// Puts an exception back that [`take_error`] took.
pub(crate) unsafe fn set_error([kind, value, traceback]: Raised) {
    // SAFETY: the GIL is held, and the references are the caller's to give.
    unsafe { py::PyErr_Restore(kind, value, traceback) };
}

/// A type in the making. All that it is made of is leaked: types live as long as the process.
pub(crate) struct TypeBuilder {
    name: &'static CStr,
    size: usize,
    flags: u64,
    slots: Vec<py::PyType_Slot>,
    methods: Vec<py::PyMethodDef>,
    properties: Vec<py::PyGetSetDef>,
    members: Vec<py::PyMemberDef>,
}

const HAVE_VECTORCALL: u64 = 1 << 11;

impl TypeBuilder {
    pub fn new<T>(name: &'static CStr, doc: &'static CStr) -> TypeBuilder {
        let doc = py::PyType_Slot {
            slot: py::Py_tp_doc,
            pfunc: doc.as_ptr().cast_mut().cast(),
        };
        TypeBuilder {
            name,
            size: size_of::<T>(),
            flags: py::Py_TPFLAGS_DEFAULT,
            slots: vec![doc],
            methods: Vec::new(),
            properties: Vec::new(),
            members: Vec::new(),
        }
    }

    pub fn flag(mut self, flag: u64) -> TypeBuilder {
        self.flags |= flag;
        self
    }

    /// Python code makes none of these by calling the type.
    pub fn without_new(self) -> TypeBuilder {
        self.flag(py::Py_TPFLAGS_DISALLOW_INSTANTIATION)
    }

    pub fn slot(mut self, slot: c_int, function: *mut c_void) -> TypeBuilder {
        self.slots.push(py::PyType_Slot {
            slot,
            pfunc: function,
        });
        self
    }

    /// Instances are called through the function whose address is at `offset` in them.
    pub fn vectorcall(mut self, offset: usize) -> TypeBuilder {
        self.members.push(py::PyMemberDef {
            name: c"__vectorcalloffset__".as_ptr(),
            type_code: py::Py_T_PYSSIZET,
            offset: offset as isize,
            flags: py::Py_READONLY,
            doc: std::ptr::null(),
        });
        self.flag(HAVE_VECTORCALL)
            .slot(py::Py_tp_call, call_slow as *mut c_void)
    }

    /// A reference to an object at `offset`.
    pub fn object(mut self, name: &'static CStr, offset: usize, doc: &'static CStr) -> TypeBuilder {
        self.members.push(py::PyMemberDef {
            name: name.as_ptr(),
            type_code: py::Py_T_OBJECT_EX,
            offset: offset as isize,
            flags: py::Py_READONLY,
            doc: doc.as_ptr(),
        });
        self
    }

    pub fn property(
        mut self,
        name: &'static CStr,
        get: py::getter,
        set: Option<py::setter>,
        doc: &'static CStr,
    ) -> TypeBuilder {
        self.properties.push(py::PyGetSetDef {
            name: name.as_ptr(),
            get: Some(get),
            set,
            doc: doc.as_ptr(),
            closure: null_mut(),
        });
        self
    }

    pub fn method(mut self, method: py::PyMethodDef) -> TypeBuilder {
        self.methods.push(method);
        self
    }

    /// The type; null with an exception set when it cannot be made.
    pub fn build(mut self) -> *mut py::PyTypeObject {
        fn leak<T>(list: Vec<T>) -> *mut c_void {
            list.leak().as_mut_ptr().cast()
        }
        if !self.methods.is_empty() {
            self.methods.push(py::PyMethodDef::zeroed());
            let methods = leak(std::mem::take(&mut self.methods));
            self = self.slot(py::Py_tp_methods, methods);
        }
        if !self.properties.is_empty() {
            self.properties.push(py::PyGetSetDef::default());
            let properties = leak(std::mem::take(&mut self.properties));
            self = self.slot(py::Py_tp_getset, properties);
        }
        if !self.members.is_empty() {
            self.members.push(py::PyMemberDef::default());
            let members = leak(std::mem::take(&mut self.members));
            self = self.slot(py::Py_tp_members, members);
        }
        self.slots.push(py::PyType_Slot::default());
        let mut spec = py::PyType_Spec {
            name: self.name.as_ptr(),
            basicsize: self.size as c_int,
            itemsize: 0,
            flags: self.flags as c_uint,
            slots: self.slots.as_mut_ptr(),
        };
        // SAFETY: the spec is complete, and all that the type keeps of it is leaked.
        unsafe { py::PyType_FromSpec(&mut spec).cast() }
    }
}

/// `tp_call` of types with a vectorcall, for callers that have a tuple.
unsafe extern "C" fn call_slow(object: Object, tuple: Object, keywords: Object) -> Object {
    // SAFETY: Python calls it with a live object and tuple. Keywords are refused: none of our
    // objects takes any when called.
    unsafe {
        if !keywords.is_null() && py::PyDict_Size(keywords) > 0 {
            return raise(py::PyExc_TypeError, "takes no keyword arguments");
        }
        let count = py::PyTuple_Size(tuple);
        let arguments: Vec<Object> = (0..count)
            .map(|at| py::PyTuple_GetItem(tuple, at))
            .collect();
        call(object, &arguments)
    }
}

/// A method without arguments.
pub(crate) fn method0(
    name: &'static CStr,
    function: unsafe extern "C" fn(Object, Object) -> Object,
    doc: &'static CStr,
) -> py::PyMethodDef {
    method(name, plain(function), py::METH_NOARGS, doc)
}

/// A method with one argument.
pub(crate) fn method1(
    name: &'static CStr,
    function: unsafe extern "C" fn(Object, Object) -> Object,
    doc: &'static CStr,
) -> py::PyMethodDef {
    method(name, plain(function), py::METH_O, doc)
}

fn plain(function: unsafe extern "C" fn(Object, Object) -> Object) -> py::PyMethodDefPointer {
    py::PyMethodDefPointer {
        PyCFunction: function,
    }
}

/// A method with arguments by position.
pub(crate) fn method_fast(
    name: &'static CStr,
    function: unsafe extern "C" fn(Object, *mut Object, isize) -> Object,
    doc: &'static CStr,
) -> py::PyMethodDef {
    let meth = py::PyMethodDefPointer {
        PyCFunctionFast: function,
    };
    method(name, meth, py::METH_FASTCALL, doc)
}

/// A method with arguments by position and by name.
pub(crate) fn method_keywords(
    name: &'static CStr,
    function: unsafe extern "C" fn(Object, *const Object, isize, Object) -> Object,
    doc: &'static CStr,
) -> py::PyMethodDef {
    let meth = py::PyMethodDefPointer {
        PyCFunctionFastWithKeywords: function,
    };
    method(name, meth, py::METH_FASTCALL | py::METH_KEYWORDS, doc)
}

fn method(
    name: &'static CStr,
    meth: py::PyMethodDefPointer,
    flags: c_int,
    doc: &'static CStr,
) -> py::PyMethodDef {
    py::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: meth,
        ml_flags: flags,
        ml_doc: doc.as_ptr(),
    }
}

/// A value that only the thread that holds the GIL touches.
pub(crate) struct Guarded<T>(std::cell::UnsafeCell<T>);

// SAFETY: every use is between the GIL's taking and giving back; builds without a GIL do not load
// this module.
unsafe impl<T> Sync for Guarded<T> {}

impl<T> Guarded<T> {
    pub const fn new(value: T) -> Guarded<T> {
        Guarded(std::cell::UnsafeCell::new(value))
    }

    /// The value. No reference made from it may outlive a call into Python.
    #[inline(always)]
    pub const fn get(&self) -> *mut T {
        self.0.get()
    }
}

/// Memory of objects of one type that ended, for those that begin.
///
/// PERF: a span's memory is used again at once: no allocator, no zeroing.
/// A span with it and without: 129 and 153 ns (`bench/python_spans.py`, 2-core VM, CPython 3.11).
pub(crate) struct FreeList<T> {
    first: *mut T,
    length: usize,
}

impl<T> FreeList<T> {
    const MOST: usize = 1 << 16;

    pub const fn new() -> FreeList<T> {
        FreeList {
            first: null_mut(),
            length: 0,
        }
    }

    /// An object of `kind` with one reference. What follows its head is as whoever had the memory
    /// before left it, or zero. Null with an exception set when there is no memory.
    #[inline(always)]
    pub unsafe fn take(&mut self, kind: *mut py::PyTypeObject) -> *mut T {
        let first = self.first;
        if first.is_null() {
            // SAFETY: the type is complete.
            return unsafe { py::PyType_GenericAlloc(kind, 0).cast() };
        }
        // SAFETY: memory in the list is an object's whose count is zero, with the next one's
        // address behind its head; it still holds its reference to the type.
        unsafe {
            self.first = *first.byte_add(size_of::<Head>()).cast::<*mut T>();
            (*first.cast::<Head>()).count = 1;
        }
        self.length -= 1;
        first
    }

    /// Takes the memory of an object whose count is zero and whose fields are given up.
    #[inline(always)]
    pub unsafe fn give(&mut self, object: *mut T) {
        // SAFETY: as the caller says.
        unsafe {
            if self.length < Self::MOST {
                *object.byte_add(size_of::<Head>()).cast::<*mut T>() = self.first;
                self.first = object;
                self.length += 1;
            } else {
                let kind = type_of(object.cast());
                py::PyObject_Free(object.cast());
                decref(kind.cast());
            }
        }
    }
}
