use super::*;

#[test]
fn commands_name_the_index_that_was_named() {
    let rows = [
        (None, "sightline check --repair"),
        (Some("dm"), "sightline check --repair --index dm"),
        (
            Some("/a/b-1_c.d"),
            "sightline check --repair --index /a/b-1_c.d",
        ),
        (
            Some("my index"),
            "sightline check --repair --index 'my index'",
        ),
        (Some("it's"), r"sightline check --repair --index 'it'\''s'"),
        (Some("~"), "sightline check --repair --index '~'"),
        (Some("$HOME"), "sightline check --repair --index '$HOME'"),
    ];
    assert_eq!(rows.len(), 7);
    for (index, expected) in rows {
        assert_eq!(command("check --repair", index.map(Path::new)), expected);
    }
}
