//! JSON Schemas of answers, read from the page that describes them.
//!
//! A test holds `docs/json.md` to the answers, key by key with types, so that its tables are the
//! one description that people and programs read.

use serde_json::{Map, Value, json};

const DOCUMENT: &str = include_str!("../../docs/json.md");

/// The JSON Schema (2020-12) of an answer, by the heading of its section in `docs/json.md` without
/// backticks, such as `search`. Each key has its meaning as a description. `None` when no section
/// with a table has this heading.
#[must_use]
pub fn schema(answer: &str) -> Option<Map<String, Value>> {
    let rows = rows(answer);
    (!rows.is_empty()).then(|| object(&rows, ""))
}

/// A key, such as `hits[].rank`, its type and its meaning.
struct KeyRow<'a> {
    key: &'a str,
    kind: &'a str,
    meaning: &'a str,
}

fn rows(answer: &str) -> Vec<KeyRow<'static>> {
    let sections = DOCUMENT.split("\n## ").skip(1);
    let mut sections = sections.filter_map(|section| section.split_once('\n'));
    let table = sections.find(|(heading, _)| heading.replace('`', "") == answer);
    let lines = table.map_or("", |(_, table)| table).lines();
    let row = |line: &'static str| {
        let mut cells = line.strip_prefix("| `")?.splitn(3, " | ");
        Some(KeyRow {
            key: cells.next()?.trim_end_matches('`'),
            kind: cells.next()?,
            meaning: cells.next()?.trim_end_matches('|').trim(),
        })
    };
    lines.filter_map(row).collect()
}

/// The object whose keys begin with `prefix`.
fn object(rows: &[KeyRow<'_>], prefix: &str) -> Map<String, Value> {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for row in rows {
        let name = row.key.strip_prefix(prefix);
        let Some(name) = name.filter(|name| !name.contains(['.', '['])) else {
            continue;
        };
        let (kind, is_optional) = match row.kind.strip_suffix(", may be missing") {
            Some(kind) => (kind, true),
            None => (row.kind, false),
        };
        let (kind, is_nullable) = match kind.strip_suffix(" or null") {
            Some(kind) => (kind, true),
            None => (kind, false),
        };
        let mut schema = match kind.strip_prefix("list of ") {
            Some(kind) => {
                let items = value(rows, kind.trim_end_matches('s'), &format!("{}[].", row.key));
                Map::from_iter([
                    ("type".to_owned(), json!("array")),
                    ("items".to_owned(), items.into()),
                ])
            }
            None => value(rows, kind, &format!("{}.", row.key)),
        };
        if is_nullable && let Some(kind) = schema.get_mut("type") {
            *kind = json!([kind.take(), "null"]);
        }
        if !row.meaning.is_empty() {
            schema.insert("description".to_owned(), json!(row.meaning));
        }
        if !is_optional {
            required.push(name);
        }
        properties.insert(name.to_owned(), schema.into());
    }
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    if !properties.is_empty() {
        schema.insert("properties".to_owned(), properties.into());
        schema.insert("required".to_owned(), json!(required));
    }
    schema
}

/// A value of a type; of an object, the keys begin with `prefix`.
fn value(rows: &[KeyRow<'_>], kind: &str, prefix: &str) -> Map<String, Value> {
    let json_type = match kind {
        "object" => return object(rows, prefix),
        "file" => {
            let file = [("path", "text"), ("path_base64", "text, may be missing")];
            let file = file.map(|(key, kind)| KeyRow {
                key,
                kind,
                meaning: "",
            });
            return object(&file, "");
        }
        "text" => "string",
        "list" => "array",
        other => other,
    };
    Map::from_iter([("type".to_owned(), json!(json_type))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_has_every_key_with_its_type_and_meaning() {
        let schema = Value::from(schema("search").unwrap());
        assert_eq!(schema["type"], "object");
        let hit = &schema["properties"]["hits"]["items"];
        assert_eq!(
            hit["properties"]["rank"],
            json!({"type": "number", "description": "from 1"})
        );
        let similarity = &hit["properties"]["similarity"];
        assert_eq!(similarity["type"], json!(["number", "null"]));
        let others = &hit["properties"]["other_paths"];
        assert_eq!(others["items"]["required"], json!(["path"]));
        let required = hit["required"].as_array().unwrap();
        assert!(required.contains(&json!("path")) && !required.contains(&json!("path_base64")));
        let near =
            &schema["properties"]["query"]["properties"]["filters"]["items"]["properties"]["near"];
        let town = &near["properties"]["town"];
        assert_eq!(town["type"], json!(["object", "null"]));
        assert_eq!(town["required"], json!(["name", "region", "country"]));
        assert_eq!(super::schema("no such answer"), None);
    }

    #[test]
    fn every_table_is_a_schema_of_known_types() {
        fn types(schema: &Value, found: &mut Vec<String>) {
            match schema {
                Value::Object(keys) => {
                    for (key, value) in keys {
                        match value {
                            Value::String(name) if key == "type" => found.push(name.clone()),
                            value => types(value, found),
                        }
                    }
                }
                Value::Array(values) => values.iter().for_each(|value| types(value, found)),
                _ => {}
            }
        }
        let headings = DOCUMENT.lines().filter_map(|line| line.strip_prefix("## "));
        let mut n_tables = 0;
        for heading in headings {
            let Some(schema) = schema(&heading.replace('`', "")) else {
                continue;
            };
            let mut found = Vec::new();
            types(&schema.into(), &mut found);
            let known = ["array", "boolean", "number", "object", "string"];
            assert!(
                found.iter().all(|name| known.contains(&name.as_str())),
                "{heading}: {found:?}"
            );
            n_tables += 1;
        }
        assert!(n_tables >= 17, "{n_tables}");
    }
}
