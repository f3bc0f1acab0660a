//! What was tried for an interpreter and why each did not do: the one error at the end.

use super::{VARIABLE, Wanted};

/// Each attempt with its reason.
#[derive(Debug, Default)]
pub(super) struct Attempts(Vec<(String, String)>);

impl Attempts {
    /// Notes that something did not do.
    pub(super) fn add(&mut self, what: impl Into<String>, reason: impl Into<String>) {
        self.0.push((what.into(), reason.into()));
    }

    /// All attempts in their order, and what the user can do.
    pub(super) fn into_message(self, wanted: Wanted) -> String {
        let mut message = format!("there is no {wanted}; what was tried:\n");
        for (what, reason) in self.0 {
            message += &format!("  - {what}: {}\n", reason.replace('\n', "\n    "));
        }
        message += "What you can do, any of these:\n";
        message += &format!("  - install a {wanted}, and set {VARIABLE} to its path\n");
        message += match wanted {
            Wanted::FreeThreaded => {
                "  - install uv, and run this again: it fetches one\n  \
                 - see to what the build from source lacks (above), and run this again\n  \
                 - add --gil to use any CPython 3.11 or newer instead, without parallelism"
            }
            Wanted::WithGil => {
                "  - put one on PATH, as python3 or under its full name, such as python3.13"
            }
        };
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_lists_every_attempt_and_what_to_do() {
        let mut attempts = Attempts::default();
        attempts.add("uv", "not on PATH");
        attempts.add("a build from source", "no tarball\nbecause of the network");
        let message = attempts.into_message(Wanted::FreeThreaded);
        assert!(message.starts_with("there is no free-threaded CPython 3.14"), "{message}");
        assert!(message.contains("\n  - uv: not on PATH\n"), "{message}");
        assert!(message.contains("no tarball\n    because of the network\n"), "{message}");
        for advice in ["THRASKS_PYTHON", "install uv", "--gil"] {
            assert!(message.contains(advice), "{advice} in {message}");
        }
    }

    #[test]
    fn with_a_gil_it_does_not_advise_what_is_not_tried() {
        let message = Attempts::default().into_message(Wanted::WithGil);
        assert!(
            message.contains("python3.13") && !message.contains("uv") && !message.contains("--gil"),
            "{message}"
        );
    }
}
