//! What tasks are called.

use std::collections::HashMap;

use super::{
    ids::TaskId,
    lane,
    recording::{generation, is_on},
};

/// The name of tasks in the trace that is being recorded. It means nothing in another.
///
/// # Examples
///
/// ```standalone_crate
/// use thrasks_loop::trace::{Name, Trace};
///
/// let trace = Trace::builder().start_into(Box::new(std::io::sink()))?;
/// assert_eq!(Name::new("fetch"), Name::new("fetch"));
/// assert_ne!(Name::new("fetch"), Name::new("parse"));
/// # drop(trace);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Name(pub(super) u32);

impl Name {
    /// No other name than the one that the task was given before.
    ///
    /// # Examples
    ///
    /// ```standalone_crate
    /// use thrasks_loop::trace::{Name, TaskId};
    ///
    /// let task = TaskId::accept();
    /// task.rename(Name::new("fetch"));
    /// task.begin(Name::GIVEN);
    /// ```
    pub const GIVEN: Self = Self(0);

    /// Notes a name: each is kept once. Takes a lock that all threads share, so that whoever has few
    /// names for many tasks had better keep what this returns.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::trace::Name;
    ///
    /// // No trace is being recorded, and nothing is noted.
    /// assert_eq!(Name::new("fetch"), Name::GIVEN);
    /// ```
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(if is_on() { lane::intern(name) } else { 0 })
    }

    /// The name of a future's type, or of the function that it was made by.
    pub(crate) fn of_type<T: ?Sized>() -> Self {
        thread_local! {
            static KNOWN: std::cell::RefCell<(u64, HashMap<&'static str, Name>)> =
                std::cell::RefCell::default();
        }
        let name = std::any::type_name::<T>();
        KNOWN.with_borrow_mut(|(of, known)| {
            if *of != generation() {
                known.clear();
                *of = generation();
            }
            *known.entry(name).or_insert_with(|| Self::new(&readable(name)))
        })
    }
}

/// Gives the task that runs on the calling thread another name in the trace, if one is being recorded
/// and the caller is in a task.
///
/// # Examples
///
/// ```standalone_crate
/// use thrasks_loop::{LoopThread, trace};
///
/// let thread = LoopThread::builder().start()?;
/// let handle = thread.spawn(|| async {
///     trace::name_task("answer");
///     42
/// })?;
/// assert_eq!(futures_lite::future::block_on(handle)?, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn name_task(name: &str) {
    let task = TaskId::running_here();
    if task.is_traced() {
        task.rename(Name::new(name));
    }
}

/// The names of a trace, by their numbers: 0 is none.
#[derive(Default)]
pub(super) struct Names {
    numbers: HashMap<String, u32>,
}

impl Names {
    pub(super) fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.numbers.len() + 1).unwrap_or(0);
        self.numbers.insert(name.to_owned(), number);
        number
    }

    /// All of them, in the order of their numbers, from 1.
    pub(super) fn into_list(self) -> Vec<String> {
        let mut names: Vec<_> = self.numbers.into_iter().collect();
        names.sort_unstable_by_key(|(_, number)| *number);
        names.into_iter().map(|(name, _)| name).collect()
    }
}

/// The path of the function that a closure or an async block is written in, also where a type is
/// wrapped around it, as a task group does; of another type, the type's own.
fn readable(type_name: &str) -> String {
    const CLOSURE: &str = "::{{closure}}";
    let mut name = type_name;
    if !name.ends_with(CLOSURE)
        && let Some(wrapped) = parameters(name).into_iter().rfind(|one| one.ends_with(CLOSURE))
    {
        name = wrapped;
    }
    while let Some(outer) = name.strip_suffix(CLOSURE) {
        name = outer;
    }
    name.to_owned()
}

/// The parameters of a type, as they stand in its name.
fn parameters(type_name: &str) -> Vec<&str> {
    let inside = type_name.split_once('<').and_then(|(_, rest)| rest.strip_suffix('>'));
    let Some(inside) = inside else { return Vec::new() };
    let mut depth = 0_usize;
    let split = inside.split(|one| {
        match one {
            '<' | '(' | '[' => depth += 1,
            '>' | ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && one == ','
    });
    split.map(str::trim).collect()
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn a_closure_is_called_after_its_function() {
        assert_eq!(readable("app::fetch::{{closure}}::{{closure}}"), "app::fetch");
        assert_eq!(readable("core::future::ready::Ready<u32>"), "core::future::ready::Ready<u32>");
    }

    #[test]
    fn what_is_wrapped_is_called_after_what_is_in_it() {
        let wrapped =
            "group::Child<app::main::{{closure}}, app::fetch::{{closure}}, group::Of<(u8, u8), E>>";
        assert_eq!(readable(wrapped), "app::fetch");
    }
}
