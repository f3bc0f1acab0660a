//! Whether every public item of a crate says what it has to, found in what rustdoc gives as JSON.
//!
//! | of | is demanded |
//! | --- | --- |
//! | the crate | at most 30 lines, an example and a table |
//! | a type, trait, function, method, trait's method, macro, constant or static | an example that runs |
//! | each of them | the sections `# Panics`, `# Errors`, `# Cancel safety`, `# Examples`, in this order, at the end |
//! | what is a future or returns one | `# Cancel safety` |
//!
//! That there are docs at all, and sections about panics and errors, is what lints of rustc and clippy demand.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result, anyhow};
use tinyjson::JsonValue as Json;

/// How long the docs of a crate may be, in lines.
const CRATE_LINES: usize = 30;

/// The sections that docs end with.
const SECTIONS: [&str; 4] = ["Panics", "Errors", "Cancel safety", "Examples"];

/// What was looked at, and what was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// How many public items there are.
    pub(crate) items: usize,
    /// A line for each fault: the place, the item, and what is wrong.
    pub(crate) faults: Vec<String>,
}

/// Looks at all that can be named from outside of the crate.
pub(crate) fn look(json: &str) -> Result<Found> {
    let json: Json = json.parse().map_err(|error| anyhow!("not JSON: {error}"))?;
    let walk = || {
        let index = field(&json, "index")?.get()?;
        let mut walk =
            Walk { index, futures: futures(index), seen: HashSet::new(), faults: Vec::new() };
        walk.root(&id(field(&json, "root")?)?)?;
        Some(walk)
    };
    let mut walk = walk().with_context(|| {
        let format = field(&json, "format_version").and_then(id).unwrap_or_default();
        format!("this rustdoc's JSON, format {format}, is not the one that is understood here")
    })?;
    walk.faults.sort();
    Ok(Found { items: walk.seen.len(), faults: walk.faults })
}

type Index = HashMap<String, Json>;

/// The ids of the types that are futures, or become one.
fn futures(index: &Index) -> HashSet<String> {
    let of = |item: &Json| {
        let implementation = inner(item, "impl")?;
        let name = text(field(implementation, "trait")?, "path")?;
        let of = field(field(implementation, "for")?, "resolved_path")?;
        if is_future(name) { id(field(of, "id")?) } else { None }
    };
    index.values().filter_map(of).collect()
}

fn is_future(path: &str) -> bool {
    matches!(path.rsplit("::").next(), Some("Future" | "IntoFuture"))
}

/// `None` is JSON that is not as expected.
struct Walk<'a> {
    index: &'a Index,
    futures: HashSet<String>,
    /// The items there are.
    seen: HashSet<String>,
    faults: Vec<String>,
}

impl Walk<'_> {
    fn root(&mut self, root: &str) -> Option<()> {
        let item = self.index.get(root)?;
        let docs = text(item, "docs").unwrap_or_default();
        let name = text(item, "name")?;
        let lines = docs.lines().count();
        if lines > CRATE_LINES {
            self.fault(item, name, &format!("has {lines} lines of docs, more than {CRATE_LINES}"));
        }
        if !docs.lines().any(|line| line.starts_with("| --- |")) {
            self.fault(item, name, "has no table of what to use when");
        }
        if !has_example(docs) {
            self.fault(item, name, "has no example that runs");
        }
        self.all(field(inner(item, "module")?, "items")?, "")
    }

    fn all(&mut self, ids: &Json, owner: &str) -> Option<()> {
        ids.get::<Vec<Json>>()?.iter().try_for_each(|json| self.visit(&id(json)?, owner))
    }

    /// Looks at an item, and at what is in it. `owner` is the type or trait that it is in.
    fn visit(&mut self, id: &str, owner: &str) -> Option<()> {
        // What is re-exported from another crate is not in the index: it is looked at there.
        let Some(item) = self.index.get(id) else { return Some(()) };
        let (kind, body) = field(item, "inner")?.get::<Index>()?.iter().next()?;
        let name = text(item, "name").unwrap_or_default();
        match kind.as_str() {
            "module" => self.all(field(body, "items")?, ""),
            "use" => match field(body, "id").and_then(self::id) {
                Some(target) => self.visit(&target, owner),
                None => Some(()),
            },
            // Of what a type has of a trait, the trait has the docs.
            "impl" if field(body, "trait").is_some_and(|of| !of.is_null()) => Some(()),
            "impl" => self.all(field(body, "items")?, owner),
            "function" | "macro" | "proc_macro" | "type_alias" | "constant" | "static" => {
                self.item(id, item, owner);
                Some(())
            }
            "struct" | "enum" | "union" if self.item(id, item, owner) => {
                self.all(field(body, "impls")?, name)
            }
            "trait" if self.item(id, item, owner) => self.all(field(body, "items")?, name),
            _ => Some(()),
        }
    }

    /// Looks at one item. Returns whether it was not looked at before.
    fn item(&mut self, id: &str, item: &Json, owner: &str) -> bool {
        if !self.seen.insert(id.to_owned()) {
            return false;
        }
        let name = text(item, "name").unwrap_or_default();
        let name = if owner.is_empty() { name.to_owned() } else { format!("{owner}::{name}") };
        let docs = text(item, "docs").unwrap_or_default();
        if !has_example(docs) {
            self.fault(item, &name, "has no example that runs");
        }
        let headings = headings(docs);
        if let Some(wrong) = out_of_order(&headings) {
            self.fault(item, &name, &format!("has `# {wrong}` in the wrong place"));
        }
        let function = inner(item, "function");
        let waits = self.futures.contains(id) || function.is_some_and(|of| self.gives_future(of));
        if waits && !headings.contains(&"Cancel safety") {
            self.fault(item, &name, "is awaited, or gives what is, and has no `# Cancel safety`");
        }
        true
    }

    fn gives_future(&self, function: &Json) -> bool {
        let is_async = field(function, "header").and_then(|header| field(header, "is_async"));
        let output = field(function, "sig").and_then(|sig| field(sig, "output"));
        is_async.and_then(Json::get) == Some(&true)
            || output.is_some_and(|output| self.names_future(output))
    }

    /// Whether a type names a future, anywhere in it.
    fn names_future(&self, json: &Json) -> bool {
        match json {
            Json::Array(parts) => parts.iter().any(|part| self.names_future(part)),
            Json::Object(parts) => {
                text(json, "path").is_some_and(is_future)
                    || parts.get("id").and_then(id).is_some_and(|id| self.futures.contains(&id))
                    || parts.values().any(|part| self.names_future(part))
            }
            _ => false,
        }
    }

    fn fault(&mut self, item: &Json, name: &str, what: &str) {
        let span = field(item, "span");
        let file = span.and_then(|span| text(span, "filename")).unwrap_or("?");
        let line = span
            .and_then(|span| id(field(span, "begin")?.get::<Vec<Json>>()?.first()?))
            .unwrap_or_default();
        self.faults.push(format!("{file}:{line}: {name} {what}"));
    }
}

/// Whether any block of code is run as a test.
fn has_example(docs: &str) -> bool {
    let runs = |tag: &str| matches!(tag.trim(), "" | "rust" | "should_panic" | "standalone_crate");
    let mut inside = false;
    for line in docs.lines() {
        let Some(tags) = line.trim_start().strip_prefix("```") else { continue };
        if !inside && tags.split(',').all(runs) {
            return true;
        }
        inside = !inside;
    }
    false
}

/// The headings, without those in code.
fn headings(docs: &str) -> Vec<&str> {
    let mut inside = false;
    let mut headings = Vec::new();
    for line in docs.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if !inside && let Some(heading) = line.strip_prefix("# ") {
            headings.push(heading.trim());
        }
    }
    headings
}

/// The first heading that comes after one that it is to come before. Those of an item's own come before all others.
fn out_of_order<'a>(headings: &[&'a str]) -> Option<&'a str> {
    let mut last = None;
    headings.iter().copied().find(|heading| {
        let place = SECTIONS.iter().position(|section| section == heading);
        let wrong = last.is_some() && place <= last;
        last = last.max(place);
        wrong
    })
}

fn field<'a>(json: &'a Json, name: &str) -> Option<&'a Json> {
    json.get::<Index>()?.get(name)
}

/// The body of an item of this kind.
fn inner<'a>(item: &'a Json, kind: &str) -> Option<&'a Json> {
    field(field(item, "inner")?, kind)
}

fn text<'a>(json: &'a Json, name: &str) -> Option<&'a str> {
    Some(field(json, name)?.get::<String>()?)
}

/// A whole number, as the index has it for its keys.
fn id(json: &Json) -> Option<String> {
    json.get::<f64>().map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::*;
    use crate::process;
    use crate::testing::TempDir;

    /// What rustdoc says of a crate `sample` with this source.
    fn of(source: &str) -> Found {
        let temp = TempDir::new();
        let file = temp.path().join("sample.rs");
        fs::write(&file, source).unwrap();
        let mut rustdoc = Command::new("rustdoc");
        rustdoc.current_dir(temp.path()).env("RUSTC_BOOTSTRAP", "1").args(["--edition", "2024"]);
        rustdoc.args(["-Zunstable-options", "--output-format=json", "sample.rs"]);
        process::output(&mut rustdoc).unwrap();
        look(&fs::read_to_string(temp.path().join("doc/sample.json")).unwrap()).unwrap()
    }

    const CRATE: &str =
        "//! A crate.\n//!\n//! ```\n//! ```\n//!\n//! | a | b |\n//! | --- | --- |\n";

    #[test]
    fn what_is_missing_is_told_with_its_place() {
        let found = of(&(CRATE.to_owned()
            + "mod hidden {
                /// Without an example.
                pub struct Named;
                impl Named {
                    /// ```
                    /// ```
                    pub fn with(&self) {}
                    /// ```text
                    /// ```
                    pub fn without(&self) {}
                    fn private(&self) {}
                }
                impl Clone for Named {
                    fn clone(&self) -> Self { Named }
                }
                pub struct NotNamed;
            }
            pub use hidden::Named;
            /// ```
            /// ```
            pub trait Trait {
                /// Required.
                fn method(&self);
            }"));
        assert_eq!(found.items, 5);
        let lines: Vec<_> = found.faults.iter().map(String::as_str).collect();
        let expected = [
            "sample.rs:10: Named has no example that runs",
            "sample.rs:17: Named::without has no example that runs",
            "sample.rs:30: Trait::method has no example that runs",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_crate_has_an_example_and_a_table_and_few_lines() {
        assert!(of(CRATE).faults.is_empty());
        let long = "//! and so on\n".repeat(31);
        let faults = of(&long).faults.join("\n");
        assert!(faults.contains("sample has 31 lines of docs, more than 30"), "{faults}");
        assert!(faults.contains("sample has no table"), "{faults}");
        assert!(faults.contains("sample has no example"), "{faults}");
    }

    #[test]
    fn futures_say_what_a_drop_of_them_loses() {
        let found = of(&(CRATE.to_owned()
            + "/// ```\n/// ```\npub async fn one() {}
            /// ```\n/// ```\npub fn two() -> impl Future<Output = ()> { async {} }
            /// ```\n/// ```\npub struct Three;
            impl IntoFuture for Three {
                type Output = ();
                type IntoFuture = std::future::Ready<()>;
                fn into_future(self) -> Self::IntoFuture { std::future::ready(()) }
            }
            /// ```\n/// ```\npub fn four() -> Option<Three> { None }
            /// # Cancel safety\n///\n/// Five.\n///\n/// # Examples\n/// ```\n/// ```\npub async fn five() {}
            /// ```\n/// ```\npub fn six() -> u8 { 6 }"));
        let names = |fault: &String| fault.split_whitespace().nth(1).unwrap().to_owned();
        let mut names: Vec<_> = found.faults.iter().map(names).collect();
        names.sort();
        assert_eq!(names, ["Three", "four", "one", "two"]);
    }

    #[test]
    fn the_sections_are_in_order_after_what_is_the_items_own() {
        assert_eq!(
            out_of_order(&["Its life", "Panics", "Errors", "Cancel safety", "Examples"]),
            None
        );
        assert_eq!(out_of_order(&["Errors", "Panics", "Examples"]), Some("Panics"));
        assert_eq!(out_of_order(&["Panics", "Its life", "Examples"]), Some("Its life"));
        assert_eq!(out_of_order(&["Examples", "Examples"]), Some("Examples"));
    }

    #[test]
    fn headings_and_examples_are_told_from_code() {
        let docs =
            "Prose.\n\n# Examples\n\n```compile_fail\n# hidden\n```\n\n```rust,should_panic\n```";
        assert_eq!(headings(docs), ["Examples"]);
        assert!(has_example(docs));
        assert!(!has_example("```no_run\n```\n```ignore\n```\n```text\n```"));
    }

    #[test]
    fn json_of_another_kind_is_an_error() {
        let error = look(r#"{"format_version": 99, "index": {}}"#).unwrap_err();
        assert!(error.to_string().contains("format 99"), "{error}");
        assert!(look("nonsense").is_err());
    }
}
