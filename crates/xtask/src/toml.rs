//! The little that is read from TOML files of this project, which formats them in one way: no parser.

/// The lines of one table of a TOML text, up to the next table.
pub(crate) fn table(toml: &str, name: &str) -> Option<String> {
    let header = format!("[{name}]");
    let mut lines = toml.lines().skip_while(|line| line.trim_end() != header);
    lines.next()?;
    // An array that spans lines is indented, or closes with a bracket: neither begins like a header.
    let section = lines.take_while(|line| !line.starts_with('['));
    Some(section.map(str::trim_end).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_ends_where_the_next_begins() {
        let toml =
            "[a]\nx = 1\n\n[groups]\none = [\n    \"p\",\n]\n\ntwo = []\n\n[tool.x]\ny = 2\n";
        assert_eq!(table(toml, "groups").unwrap(), "one = [\n    \"p\",\n]\ntwo = []");
        assert_eq!(table(toml, "none"), None);
    }
}
