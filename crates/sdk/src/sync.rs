//! `Mutex` and `RwLock` of the standard library that record who waited, who held, and how long.
//!
//! ```
//! use sondage::sync::Mutex;
//! static QUEUE: Mutex<Vec<u32>> = Mutex::named("queue", Vec::new());
//! QUEUE.lock().unwrap().push(1);
//! assert_eq!(QUEUE.lock().unwrap().len(), 1);
//! ```

use crate::raw::{self, LockOp};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{self, Condvar, LockResult, PoisonError, TryLockError, TryLockResult};
use std::time::Duration;

/// What is recorded of a lock.
struct Identity {
    id: AtomicU32,
    name: &'static str,
    place: &'static Location<'static>,
    /// Readers may have it together.
    is_shared: bool,
}

impl Identity {
    #[track_caller]
    const fn new(name: &'static str, is_shared: bool) -> Identity {
        Identity {
            id: AtomicU32::new(0),
            name,
            place: Location::caller(),
            is_shared,
        }
    }

    #[inline]
    fn record(&self, op: LockOp) {
        if raw::is_enabled() {
            raw::lock_event(self.id(), op);
        }
    }

    #[inline]
    fn id(&self) -> u32 {
        match self.id.load(Ordering::Relaxed) {
            0 => self.learn(),
            id => id,
        }
    }

    #[cold]
    fn learn(&self) -> u32 {
        let place = format!("{}:{}", self.place.file(), self.place.line());
        let id = if self.is_shared {
            raw::shared_lock(self.name, &place)
        } else {
            raw::lock(self.name, &place)
        };
        // Two threads may meet here; one number stays unused.
        match self
            .id
            .compare_exchange(0, id, Ordering::Relaxed, Ordering::Relaxed)
        {
            Ok(_) => id,
            Err(other) => other,
        }
    }

    /// Takes the lock with `try_it`, or else records the wait and takes it with `wait`.
    #[inline]
    fn take<G>(
        &self,
        got: LockOp,
        try_it: impl FnOnce() -> TryLockResult<G>,
        wait: impl FnOnce() -> LockResult<G>,
    ) -> LockResult<G> {
        let taken = match try_it() {
            Ok(guard) => Ok(guard),
            Err(TryLockError::Poisoned(error)) => Err(error),
            Err(TryLockError::WouldBlock) => {
                if raw::is_enabled() {
                    raw::lock_wait(self.id(), got);
                }
                wait()
            }
        };
        self.record(got);
        taken
    }

    #[inline]
    fn took<G>(&self, got: LockOp, result: TryLockResult<G>) -> TryLockResult<G> {
        if !matches!(result, Err(TryLockError::WouldBlock)) {
            self.record(got);
        }
        result
    }
}

/// The standard library's [`Mutex`](sync::Mutex), recorded.
pub struct Mutex<T: ?Sized> {
    identity: Identity,
    inner: sync::Mutex<T>,
}

/// Holds a [`Mutex`].
#[must_use = "the lock is given back when this is dropped"]
pub struct MutexGuard<'a, T: ?Sized> {
    identity: &'a Identity,
    // Emptied only by what gives it back.
    inner: Option<sync::MutexGuard<'a, T>>,
}

/// Wraps the guard of a result, poisoned or not.
fn wrap<G, W>(result: LockResult<G>, wrap: impl FnOnce(G) -> W) -> LockResult<W> {
    match result {
        Ok(guard) => Ok(wrap(guard)),
        Err(error) => Err(PoisonError::new(wrap(error.into_inner()))),
    }
}

fn try_wrap<G, W>(result: TryLockResult<G>, wrap: impl FnOnce(G) -> W) -> TryLockResult<W> {
    match result {
        Ok(guard) => Ok(wrap(guard)),
        Err(TryLockError::WouldBlock) => Err(TryLockError::WouldBlock),
        Err(TryLockError::Poisoned(error)) => Err(TryLockError::Poisoned(PoisonError::new(wrap(
            error.into_inner(),
        )))),
    }
}

impl<T> Mutex<T> {
    /// A mutex that recordings name by the place of this call.
    #[track_caller]
    #[must_use]
    pub const fn new(value: T) -> Mutex<T> {
        Mutex::named("Mutex", value)
    }

    /// A mutex with a name.
    #[track_caller]
    #[must_use]
    pub const fn named(name: &'static str, value: T) -> Mutex<T> {
        Mutex {
            identity: Identity::new(name, false),
            inner: sync::Mutex::new(value),
        }
    }

    /// The value.
    ///
    /// # Errors
    /// When a thread panicked while it held the lock.
    pub fn into_inner(self) -> LockResult<T> {
        self.inner.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Takes the lock, after waiting if need be.
    ///
    /// # Errors
    /// When a thread panicked while it held the lock; the error holds the guard.
    #[inline]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        let taken = self.identity.take(
            LockOp::Obtained,
            || self.inner.try_lock(),
            || self.inner.lock(),
        );
        wrap(taken, |guard| self.guard(guard))
    }

    /// Takes the lock if it is free.
    ///
    /// # Errors
    /// When it is not, or a thread panicked while it held the lock.
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        let taken = self.identity.took(LockOp::Obtained, self.inner.try_lock());
        try_wrap(taken, |guard| self.guard(guard))
    }

    /// The value, which nobody else can reach now.
    ///
    /// # Errors
    /// When a thread panicked while it held the lock.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.inner.get_mut()
    }

    /// Whether a thread panicked while it held the lock.
    pub fn is_poisoned(&self) -> bool {
        self.inner.is_poisoned()
    }

    fn guard<'a>(&'a self, inner: sync::MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        MutexGuard {
            identity: &self.identity,
            inner: Some(inner),
        }
    }
}

impl<'a, T> MutexGuard<'a, T> {
    /// Waits on a condition variable: gives the lock back meanwhile.
    ///
    /// # Errors
    /// When a thread panicked while it held the lock; the error holds the guard.
    pub fn wait(mut self, condition: &Condvar) -> LockResult<MutexGuard<'a, T>> {
        let identity = self.identity;
        let Some(inner) = self.inner.take() else {
            unreachable!("a guard that waits is not given back")
        };
        identity.record(LockOp::Released);
        let woken = condition.wait(inner);
        identity.record(LockOp::Obtained);
        wrap(woken, |guard| MutexGuard {
            identity,
            inner: Some(guard),
        })
    }

    /// As [`MutexGuard::wait`], no longer than `timeout`; says whether it ran out.
    ///
    /// # Errors
    /// When a thread panicked while it held the lock; the error holds the guard.
    pub fn wait_timeout(
        mut self,
        condition: &Condvar,
        timeout: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, bool)> {
        let identity = self.identity;
        let Some(inner) = self.inner.take() else {
            unreachable!("a guard that waits is not given back")
        };
        identity.record(LockOp::Released);
        let woken = condition.wait_timeout(inner, timeout);
        identity.record(LockOp::Obtained);
        wrap(woken, |(guard, result)| {
            let guard = MutexGuard {
                identity,
                inner: Some(guard),
            };
            (guard, result.timed_out())
        })
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        match &self.inner {
            Some(guard) => guard,
            None => unreachable!("a guard that can be reached is not given back"),
        }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.inner {
            Some(guard) => guard,
            None => unreachable!("a guard that can be reached is not given back"),
        }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // Before the lock is free: whoever gets it next, gets it later.
        if self.inner.is_some() {
            self.identity.record(LockOp::Released);
        }
    }
}

impl<T: Default> Default for Mutex<T> {
    #[track_caller]
    fn default() -> Self {
        Mutex::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// The standard library's [`RwLock`](sync::RwLock), recorded.
pub struct RwLock<T: ?Sized> {
    identity: Identity,
    inner: sync::RwLock<T>,
}

/// Holds a [`RwLock`] together with other readers.
#[must_use = "the lock is given back when this is dropped"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    identity: &'a Identity,
    inner: sync::RwLockReadGuard<'a, T>,
}

/// Holds a [`RwLock`] alone.
#[must_use = "the lock is given back when this is dropped"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    identity: &'a Identity,
    inner: sync::RwLockWriteGuard<'a, T>,
}

impl<T> RwLock<T> {
    /// A lock that recordings name by the place of this call.
    #[track_caller]
    #[must_use]
    pub const fn new(value: T) -> RwLock<T> {
        RwLock::named("RwLock", value)
    }

    /// A lock with a name.
    #[track_caller]
    #[must_use]
    pub const fn named(name: &'static str, value: T) -> RwLock<T> {
        RwLock {
            identity: Identity::new(name, true),
            inner: sync::RwLock::new(value),
        }
    }

    /// The value.
    ///
    /// # Errors
    /// When a thread panicked while it held the lock alone.
    pub fn into_inner(self) -> LockResult<T> {
        self.inner.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Takes the lock together with other readers, after waiting if need be.
    ///
    /// # Errors
    /// When a thread panicked while it held the lock alone; the error holds the guard.
    #[inline]
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        let taken = self.identity.take(
            LockOp::Shared,
            || self.inner.try_read(),
            || self.inner.read(),
        );
        let identity = &self.identity;
        wrap(taken, |inner| RwLockReadGuard { identity, inner })
    }

    /// Takes the lock alone, after waiting if need be.
    ///
    /// # Errors
    /// When a thread panicked while it held the lock alone; the error holds the guard.
    #[inline]
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        let taken = self.identity.take(
            LockOp::Obtained,
            || self.inner.try_write(),
            || self.inner.write(),
        );
        let identity = &self.identity;
        wrap(taken, |inner| RwLockWriteGuard { identity, inner })
    }

    /// As [`RwLock::read`], if it does not have to wait.
    ///
    /// # Errors
    /// When it would, or a thread panicked while it held the lock alone.
    pub fn try_read(&self) -> TryLockResult<RwLockReadGuard<'_, T>> {
        let identity = &self.identity;
        let taken = identity.took(LockOp::Shared, self.inner.try_read());
        try_wrap(taken, |inner| RwLockReadGuard { identity, inner })
    }

    /// As [`RwLock::write`], if it does not have to wait.
    ///
    /// # Errors
    /// When it would, or a thread panicked while it held the lock alone.
    pub fn try_write(&self) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        let identity = &self.identity;
        let taken = identity.took(LockOp::Obtained, self.inner.try_write());
        try_wrap(taken, |inner| RwLockWriteGuard { identity, inner })
    }

    /// The value, which nobody else can reach now.
    ///
    /// # Errors
    /// When a thread panicked while it held the lock alone.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.inner.get_mut()
    }
}

macro_rules! held {
    ($guard:ident) => {
        impl<T: ?Sized> Deref for $guard<'_, T> {
            type Target = T;

            #[inline]
            fn deref(&self) -> &T {
                &self.inner
            }
        }

        impl<T: ?Sized> Drop for $guard<'_, T> {
            #[inline]
            fn drop(&mut self) {
                self.identity.record(LockOp::Released);
            }
        }

        impl<T: ?Sized + fmt::Debug> fmt::Debug for $guard<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }
    };
}

held!(RwLockReadGuard);
held!(RwLockWriteGuard);

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: Default> Default for RwLock<T> {
    #[track_caller]
    fn default() -> Self {
        RwLock::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
