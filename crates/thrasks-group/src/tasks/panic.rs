use std::{
    any::Any,
    error::Error,
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Mutex, PoisonError},
};

/// A panic that was caught: what it carried. Dropped with a payload whose drop panics, it keeps that
/// to itself.
///
/// # Examples
///
/// ```
/// use thrasks_group::Panic;
///
/// let panic = Panic::catch(|| panic!("out of {}", "tea")).unwrap_err();
/// assert_eq!(panic.message().as_deref(), Some("out of tea"));
/// assert_eq!(panic.to_string(), "panicked: out of tea");
/// ```
pub struct Panic {
    /// In a mutex to make the panic `Sync`, which a payload need not be; in a box to keep every
    /// result that may hold one small.
    payload: Box<Mutex<Payload>>,
}

/// What a panic carried, until that is taken out.
struct Payload(Option<Box<dyn Any + Send>>);

impl Panic {
    /// The panic with this payload.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::Panic;
    ///
    /// assert_eq!(Panic::new(Box::new("oops")).to_string(), "panicked: oops");
    /// ```
    pub fn new(payload: Box<dyn Any + Send>) -> Self {
        Self { payload: Box::new(Mutex::new(Payload(Some(payload)))) }
    }

    /// Calls `f` and catches its panic.
    ///
    /// What `f` has changed before it panicked stays as it is.
    ///
    /// # Errors
    ///
    /// The panic.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::Panic;
    ///
    /// assert_eq!(Panic::catch(|| 1 + 1).unwrap(), 2);
    /// ```
    pub fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Self> {
        catch_unwind(AssertUnwindSafe(f)).map_err(Self::new)
    }

    /// The text of the panic, if it has one.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::Panic;
    ///
    /// assert_eq!(Panic::new(Box::new("oops")).message().as_deref(), Some("oops"));
    /// assert_eq!(Panic::new(Box::new(7)).message(), None);
    /// ```
    pub fn message(&self) -> Option<String> {
        let payload = self.payload.lock().unwrap_or_else(PoisonError::into_inner);
        let payload = payload.0.as_ref()?;
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| payload.downcast_ref::<String>().cloned())
    }

    /// What the panic carried.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::Panic;
    ///
    /// let payload = Panic::new(Box::new(7)).into_payload();
    /// assert_eq!(payload.downcast_ref(), Some(&7));
    /// ```
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        let mut payload = self.payload.into_inner().unwrap_or_else(PoisonError::into_inner);
        match payload.0.take() {
            Some(payload) => payload,
            None => unreachable!("only this takes it out, and consumes the panic"),
        }
    }

    /// Lets the panic go on, here.
    ///
    /// # Panics
    ///
    /// Always.
    ///
    /// # Examples
    ///
    /// ```should_panic
    /// use thrasks_group::Panic;
    ///
    /// Panic::new(Box::new("oops")).resume();
    /// ```
    pub fn resume(self) -> ! {
        resume_unwind(self.into_payload())
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        let payload = self.0.take();
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            // Whoever throws payloads that throw when dropped leaks the second one.
            mem::forget(second);
        }
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Panic").field(&self.message().unwrap_or_else(|| "..".into())).finish()
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message() {
            Some(text) => write!(f, "panicked: {text}"),
            None => f.write_str("panicked"),
        }
    }
}

impl Error for Panic {}
