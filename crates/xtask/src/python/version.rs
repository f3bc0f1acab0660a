//! Python's version numbers.

use std::fmt;
use std::str::FromStr;

/// Major, minor and micro: `3.14.7`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    pub(crate) major: u32,
    pub(crate) minor: u32,
    pub(crate) micro: u32,
}

impl Version {
    /// Whether it is this feature release or a later one.
    pub(crate) fn is_at_least(self, major: u32, minor: u32) -> bool {
        (self.major, self.minor) >= (major, minor)
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[major, minor, micro]) => Ok(Self { major, minor, micro }),
            _ => Err(format!("{text:?} is not a version like 3.14.7")),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.micro)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let version: Version = "3.14.7".parse().unwrap();
        assert!(
            version.is_at_least(3, 9) && version.is_at_least(3, 14) && !version.is_at_least(3, 15)
        );
        assert!("4.0.0".parse::<Version>().unwrap().is_at_least(3, 14));
        assert_eq!(version.to_string(), "3.14.7");
    }

    #[test]
    fn what_is_no_version_is_named() {
        for text in ["", "3.14", "3.14.x", "3.14.7.1"] {
            assert!(text.parse::<Version>().unwrap_err().contains(text));
        }
    }
}
