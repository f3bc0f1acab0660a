//! Ctrl-C while something is being built: remember it, so that the builder can clean up and end.

use std::fmt;

use anyhow::Result;

/// The error by which a build that was interrupted ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Interrupted {
    signal: i32,
}

impl Interrupted {
    /// What shells report for a program that a signal ended.
    pub(crate) fn exit_code(self) -> u8 {
        u8::try_from(128 + self.signal).unwrap_or(1)
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "interrupted by signal {}", self.signal)
    }
}

impl std::error::Error for Interrupted {}

/// While this lives, a signal to end is only noted; before and after it ends the process as usual.
#[derive(Debug)]
#[must_use = "signals end the process again once this is dropped"]
pub(crate) struct Guard(());

impl Guard {
    /// Begins to note signals.
    pub(crate) fn begin() -> Result<Self> {
        imp::begin()?;
        Ok(Self(()))
    }

    /// An error if a signal has come.
    pub(crate) fn check(&self) -> Result<()> {
        match imp::pending() {
            0 => Ok(()),
            signal => Err(Interrupted { signal }.into()),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        imp::end();
    }
}

#[cfg(unix)]
mod imp {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::{Arc, OnceLock};

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::flag;

    struct Flags {
        unguarded: Arc<AtomicBool>,
        pending: Arc<AtomicUsize>,
    }

    // A handler cannot be taken off again in full, so it stays, and does the default outside of a guard.
    static FLAGS: OnceLock<Flags> = OnceLock::new();

    pub(super) fn begin() -> std::io::Result<()> {
        if FLAGS.get().is_none() {
            let flags = Flags {
                unguarded: Arc::new(AtomicBool::new(true)),
                pending: Arc::new(AtomicUsize::new(0)),
            };
            for signal in [SIGHUP, SIGINT, SIGTERM] {
                let number = usize::try_from(signal).unwrap_or_default();
                flag::register_usize(signal, Arc::clone(&flags.pending), number)?;
                flag::register_conditional_default(signal, Arc::clone(&flags.unguarded))?;
            }
            let _ = FLAGS.set(flags);
        }
        if let Some(flags) = FLAGS.get() {
            flags.unguarded.store(false, Ordering::SeqCst);
        }
        Ok(())
    }

    pub(super) fn pending() -> i32 {
        let pending = FLAGS.get().map_or(0, |flags| flags.pending.load(Ordering::SeqCst));
        i32::try_from(pending).unwrap_or_default()
    }

    pub(super) fn end() {
        if let Some(flags) = FLAGS.get() {
            flags.unguarded.store(true, Ordering::SeqCst);
        }
    }
}

/// Elsewhere nothing is built, so there is nothing to clean up.
#[cfg(not(unix))]
mod imp {
    pub(super) fn begin() -> std::io::Result<()> {
        Ok(())
    }

    pub(super) fn pending() -> i32 {
        0
    }

    pub(super) fn end() {}
}
