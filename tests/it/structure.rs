//! The drawing of the program in `ARCHITECTURE.md`, held to the code's own imports.
//!
//! Every path in the sources is resolved to the file that defines what it names. From that follow
//! the arrows between rooms (files) and between folders: no room may reach itself again, and the
//! arrows drawn in the document are exactly those in the code.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, File, Item, UseTree, Visibility};

/// The packages, by the names they have in code and by the folders of their sources.
const PACKAGES: [(&str, &str); 4] = [
    ("sightline", "src"),
    ("sightline_index", "index/src"),
    ("sightline_onnx", "onnx/src"),
    ("sightline_picture", "picture/src"),
];

/// A path in code, segment by segment, from the package's root: `["engine", "walk", "Walk"]`.
type CodePath = Vec<String>;

/// One file, as the module that it is.
#[derive(Default)]
struct Room {
    /// From the project's folder.
    file: PathBuf,
    /// Names that the file defines itself.
    defined: BTreeSet<String>,
    /// Names that it passes on from elsewhere (`pub use`), with the paths they stand for.
    passed_on: BTreeMap<String, CodePath>,
    /// Modules whose public names it passes on (`pub use child::*`).
    passed_on_whole: Vec<CodePath>,
    /// Everything of the same package that the code names.
    named: BTreeSet<CodePath>,
    /// Other packages of the project that the code names.
    packages: BTreeSet<String>,
    /// Structs, enums, unions and traits that the file defines.
    types: Vec<String>,
}

/// All rooms of one package, by the path of their module.
type Rooms = BTreeMap<CodePath, Room>;

/// Reads one file's definitions and the paths in its code. Tests are left out.
struct Reader<'a> {
    module: &'a CodePath,
    /// Modules that are files of their own below this one.
    children: BTreeSet<String>,
    room: Room,
    /// How many modules deep inside the file (`mod x { … }`) the reader is.
    depth: usize,
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|path| path.is_ident("test"))
    })
}

impl Reader<'_> {
    /// The path from the package's root; `None` for what is not in this package.
    fn absolute(&mut self, segments: &[String]) -> Option<CodePath> {
        let first = segments.first()?.as_str();
        if PACKAGES.iter().any(|(package, _)| *package == first) {
            self.room.packages.insert(first.to_owned());
            return None;
        }
        let mut base = match first {
            "crate" => Vec::new(),
            "self" | "super" => self.module.clone(),
            child if self.depth == 0 && self.children.contains(child) => {
                let mut base = self.module.clone();
                base.push(child.to_owned());
                base
            }
            _ => return None,
        };
        // Inside `mod x { … }` the first `super` is the file itself.
        let mut inline = self.depth;
        let mut rest = segments;
        while let [first, others @ ..] = rest {
            match first.as_str() {
                "super" if inline > 0 => inline -= 1,
                "super" => drop(base.pop()),
                _ => {}
            }
            rest = others;
            if !matches!(rest.first().map(String::as_str), Some("super" | "self")) {
                break;
            }
        }
        base.extend(rest.iter().cloned());
        Some(base)
    }

    fn name(&mut self, segments: &[String]) {
        if let Some(path) = self.absolute(segments) {
            self.room.named.insert(path);
        }
    }

    /// Structs and paths inside macros, which are not parsed: `crate::a::B` as it stands in the
    /// tokens.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut n_colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if path == ["struct"] {
                        self.room.defined.insert(ident.to_string());
                        self.room.types.push(ident.to_string());
                    }
                    if n_colons != 2 {
                        self.name(&std::mem::take(&mut path));
                    }
                    path.push(ident.to_string());
                    n_colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => n_colons += 1,
                other => {
                    let before = std::mem::take(&mut path);
                    self.name(&before);
                    n_colons = 0;
                    // As in `visit_visibility`.
                    if let TokenTree::Group(group) = other
                        && before != ["pub"]
                    {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.name(&path);
    }

    fn use_tree(&mut self, tree: &UseTree, prefix: &mut Vec<String>, passes_on: bool) {
        match tree {
            UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.use_tree(&path.tree, prefix, passes_on);
                prefix.pop();
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.use_tree(tree, prefix, passes_on);
                }
            }
            UseTree::Name(name) => self.used(&name.ident, &name.ident, prefix, passes_on),
            UseTree::Rename(rename) => {
                self.used(&rename.ident, &rename.rename, prefix, passes_on);
            }
            UseTree::Glob(_) => {
                if let Some(path) = self.absolute(prefix) {
                    if passes_on {
                        self.room.passed_on_whole.push(path);
                    } else {
                        self.room.named.insert(path);
                    }
                }
            }
        }
    }

    fn used(
        &mut self,
        ident: &syn::Ident,
        known_as: &syn::Ident,
        prefix: &[String],
        passes_on: bool,
    ) {
        let mut segments = prefix.to_vec();
        if ident != "self" {
            segments.push(ident.to_string());
        }
        let Some(path) = self.absolute(&segments) else {
            return;
        };
        if passes_on {
            self.room.passed_on.insert(known_as.to_string(), path);
        } else {
            self.room.named.insert(path);
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let (attributes, name): (&[Attribute], Option<&syn::Ident>) = match item {
            Item::Const(item) => (&item.attrs, Some(&item.ident)),
            Item::Enum(item) => (&item.attrs, Some(&item.ident)),
            Item::Fn(item) => (&item.attrs, Some(&item.sig.ident)),
            Item::Impl(item) => (&item.attrs, None),
            Item::Macro(item) => (&item.attrs, item.ident.as_ref()),
            Item::Mod(item) => (&item.attrs, item.content.as_ref().map(|_| &item.ident)),
            Item::Static(item) => (&item.attrs, Some(&item.ident)),
            Item::Struct(item) => (&item.attrs, Some(&item.ident)),
            Item::Trait(item) => (&item.attrs, Some(&item.ident)),
            Item::Type(item) => (&item.attrs, Some(&item.ident)),
            Item::Union(item) => (&item.attrs, Some(&item.ident)),
            Item::Use(item) => (&item.attrs, None),
            _ => (&[], None),
        };
        if is_for_tests(attributes) {
            return;
        }
        if let (0, Some(name)) = (self.depth, name) {
            self.room.defined.insert(name.to_string());
        }
        if let (Item::Struct(_) | Item::Enum(_) | Item::Union(_) | Item::Trait(_), Some(name)) =
            (item, name)
        {
            self.room.types.push(name.to_string());
        }
        if let Item::Use(item) = item {
            let passes_on = self.depth == 0 && !matches!(item.vis, Visibility::Inherited);
            self.use_tree(&item.tree, &mut Vec::new(), passes_on);
            return;
        }
        let within = usize::from(matches!(item, Item::Mod(_)));
        self.depth += within;
        visit::visit_item(self, item);
        self.depth -= within;
    }

    fn visit_visibility(&mut self, _: &'ast Visibility) {
        // `pub(in crate::cli)` names a folder and takes nothing from it.
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        if segments.len() > 1 {
            self.name(&segments);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.tokens(item.tokens.clone());
    }
}

/// Reads a package from its files, each with its path from the sources' folder.
fn rooms(folder: &str, sources: &[(PathBuf, String)]) -> Rooms {
    let module_of = |path: &Path| -> CodePath {
        let mut module: CodePath = path
            .with_extension("")
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        if module
            .last()
            .is_some_and(|last| matches!(last.as_str(), "mod" | "lib"))
        {
            module.pop();
        }
        module
    };
    let modules: BTreeSet<CodePath> = sources.iter().map(|(path, _)| module_of(path)).collect();
    let mut rooms = Rooms::new();
    for (path, text) in sources {
        let module = module_of(path);
        let parsed: File =
            syn::parse_file(text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let children = modules
            .iter()
            .filter(|other| other.len() == module.len() + 1 && other.starts_with(&module))
            .filter_map(|other| other.last().cloned())
            .collect();
        let mut reader = Reader {
            module: &module,
            children,
            room: Room {
                file: Path::new(folder).join(path),
                ..Room::default()
            },
            depth: 0,
        };
        reader.visit_file(&parsed);
        let room = reader.room;
        rooms.insert(module, room);
    }
    rooms
}

/// The module whose file defines what a path names; `None` when the package has no such thing.
fn home(rooms: &Rooms, path: &[String], depth: usize) -> Option<CodePath> {
    let mut module = CodePath::new();
    for (place, segment) in path.iter().enumerate() {
        let mut child = module.clone();
        child.push(segment.clone());
        if rooms.contains_key(&child) {
            module = child;
            continue;
        }
        let room = rooms.get(&module)?;
        if room.defined.contains(segment) || depth > 8 {
            return Some(module);
        }
        if let Some(target) = room.passed_on.get(segment) {
            let mut target = target.clone();
            target.extend_from_slice(&path[place + 1..]);
            return home(rooms, &target, depth + 1);
        }
        return room.passed_on_whole.iter().find_map(|whole| {
            let mut target = whole.clone();
            target.extend_from_slice(&path[place..]);
            home(rooms, &target, depth + 1)
        });
    }
    Some(module)
}

/// For each room the rooms that it takes something from, with what.
fn arrows(rooms: &Rooms) -> BTreeMap<&CodePath, BTreeMap<&CodePath, Vec<String>>> {
    let mut arrows = BTreeMap::new();
    for (module, room) in rooms {
        let taken: &mut BTreeMap<_, Vec<String>> = arrows.entry(module).or_default();
        for path in &room.named {
            if let Some(home) = home(rooms, path, 0)
                && home != *module
                && let Some((home, _)) = rooms.get_key_value(&home)
            {
                taken.entry(home).or_default().push(path.join("::"));
            }
        }
    }
    arrows
}

/// Rooms that reach themselves again, each circle once, as lines for people.
fn circles(rooms: &Rooms) -> Vec<String> {
    let arrows = arrows(rooms);
    let reached = |from: &CodePath| -> BTreeSet<CodePath> {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&CodePath> = arrows[from].keys().copied().collect();
        while let Some(next) = open.pop() {
            if seen.insert(next.clone()) {
                open.extend(arrows[next].keys());
            }
        }
        seen
    };
    let reached: BTreeMap<&CodePath, BTreeSet<CodePath>> = rooms
        .keys()
        .map(|module| (module, reached(module)))
        .collect();
    let mut lines = Vec::new();
    for (from, taken) in &arrows {
        for (to, names) in taken {
            if reached[to].contains(*from) {
                lines.push(format!(
                    "{} -> {}: {}",
                    rooms[*from].file.display(),
                    rooms[*to].file.display(),
                    names.join(", ")
                ));
            }
        }
    }
    lines
}

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The sources of a folder and below, with their paths from it; test files left out.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let root = project().join(folder);
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_string_lossy();
            let is_test = stem.ends_with("_tests") || matches!(&*stem, "tests" | "fake");
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") && !is_test {
                let text = fs_err::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(&root).unwrap().to_path_buf(), text));
            }
        }
    }
    found
}

fn package(sources: &[(&str, &str)]) -> Rooms {
    let sources: Vec<_> = sources
        .iter()
        .map(|(path, text)| (PathBuf::from(path), (*text).to_owned()))
        .collect();
    rooms("src", &sources)
}

#[test]
fn a_circle_is_found_however_it_is_written() {
    let files = |b: &'static str| {
        package(&[
            ("lib.rs", "mod a; mod b; pub use a::A;"),
            ("a.rs", "pub struct A; pub fn f() { super::b::g(); }"),
            ("b.rs", b),
        ])
    };
    for closing in [
        "use crate::a::A; pub fn g() {}",
        "use super::a::{self, A}; pub fn g() {}",
        "use crate::A; pub fn g() {}",
        "pub fn g() -> crate::a::A { loop {} }",
        "pub fn g() { println!(\"{}\", super::a::f()); }",
        "pub fn g() { fn h() { use crate::a::f; } }",
    ] {
        assert_eq!(circles(&files(closing)).len(), 2, "{closing}");
    }
    for open in [
        "pub fn g() {}",
        "#[cfg(test)] mod tests { use super::super::a::A; } pub fn g() {}",
        "pub fn g() { a::f() } // no path of this package: it has no module named a",
        "pub(in crate::a) fn g() {}",
        "/// See [`A`](crate::a::A).\npub fn g() {}",
    ] {
        let found = circles(&files(open));
        assert!(found.is_empty(), "{open}: {found:?}");
    }
    // A parent that uses a child which uses what the parent's own file defines.
    let family = package(&[
        ("lib.rs", "mod p;"),
        ("p/mod.rs", "mod c; pub struct P; pub fn f() { c::g() }"),
        ("p/c.rs", "use super::P; pub fn g() {}"),
    ]);
    assert_eq!(circles(&family).len(), 2);
    let face = package(&[
        ("lib.rs", "mod p;"),
        ("p/mod.rs", "mod c; pub struct P; pub use c::g;"),
        ("p/c.rs", "use super::P; pub fn g() {}"),
    ]);
    assert!(circles(&face).is_empty());
}

#[test]
fn no_room_reaches_itself_again() {
    let mut found = Vec::new();
    for (_, folder) in PACKAGES {
        let rooms = rooms(folder, &sources(folder));
        let n_arrows: usize = arrows(&rooms).values().map(BTreeMap::len).sum();
        assert!(rooms.len() >= 15, "{folder}: only {} rooms", rooms.len());
        assert!(n_arrows >= 30, "{folder}: only {n_arrows} arrows");
        found.extend(circles(&rooms));
    }
    assert!(found.is_empty(), "circles:\n{}", found.join("\n"));
}

/// The arrows between the children of one module, a line for each child: `cli -> answers, engine`.
/// The module's own file stands as `mod`, other packages by their folders.
fn drawing(rooms: &Rooms, root: &[String]) -> Vec<String> {
    let child = |module: &CodePath| match module.get(root.len()) {
        _ if !module.starts_with(root) => None,
        Some(child) => Some(child.clone()),
        None => Some("mod".to_owned()),
    };
    let mut drawn: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let arrows = arrows(rooms);
    for (module, room) in rooms {
        let Some(from) = child(module) else { continue };
        let to = arrows[module].keys().filter_map(|to| child(to));
        let packages = room.packages.iter().filter_map(|package| {
            let other = package.strip_prefix("sightline_")?;
            Some(format!("{other}/"))
        });
        let taken = drawn.entry(from.clone()).or_default();
        taken.extend(to.chain(packages).filter(|to| *to != from));
    }
    drawn
        .into_iter()
        .filter(|(_, to)| !to.is_empty())
        .map(|(from, to)| format!("{from} -> {}", Vec::from_iter(to).join(", ")))
        .collect()
}

/// The rooms of a drawing from the ground up; those that reach themselves again when there are any.
fn downwards(drawing: &[String]) -> Result<Vec<&str>, Vec<&str>> {
    let mut open: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in drawing {
        let (from, to) = line.split_once(" -> ").unwrap();
        open.entry(from).or_default().extend(to.split(", "));
    }
    let mut done = Vec::new();
    loop {
        let is_ground = |to: &BTreeSet<&str>| to.iter().all(|to| !open.contains_key(to));
        let ground: Vec<&str> = open
            .iter()
            .filter(|(_, to)| is_ground(to))
            .map(|(from, _)| *from)
            .collect();
        if ground.is_empty() {
            let left: Vec<&str> = open.into_keys().collect();
            return if left.is_empty() { Ok(done) } else { Err(left) };
        }
        for room in ground {
            open.remove(room);
            done.push(room);
        }
    }
}

#[test]
fn folders_in_a_circle_are_found() {
    let lines = |lines: &[&str]| -> Vec<String> { lines.iter().map(|l| (*l).to_owned()).collect() };
    let straight = lines(&["a -> b, c", "b -> c"]);
    assert_eq!(downwards(&straight), Ok(vec!["b", "a"]));
    let circle = lines(&["a -> b", "b -> c, d", "c -> b"]);
    assert_eq!(downwards(&circle), Err(vec!["a", "b", "c"]));
}

/// The blocks of a document that begin with ```` ```arrows FOLDER ````, by folder.
fn drawn(document: &str) -> BTreeMap<String, Vec<String>> {
    let mut blocks = BTreeMap::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        if let Some(folder) = line.strip_prefix("```arrows ") {
            let block = lines.by_ref().take_while(|line| *line != "```");
            blocks.insert(folder.to_owned(), block.map(str::to_owned).collect());
        }
    }
    blocks
}

#[test]
fn the_drawn_arrows_are_those_of_the_code() {
    let document = fs_err::read_to_string(project().join("ARCHITECTURE.md")).unwrap();
    let blocks = drawn(&document);
    let mut n_blocks = 0;
    for (_, sources_folder) in PACKAGES {
        let rooms = rooms(sources_folder, &sources(sources_folder));
        for (folder, block) in &blocks {
            let Ok(below) = Path::new(folder).strip_prefix(sources_folder) else {
                continue;
            };
            n_blocks += 1;
            let root: CodePath = below
                .iter()
                .map(|part| part.to_string_lossy().into_owned())
                .collect();
            let actual = drawing(&rooms, &root);
            let below = downwards(&actual);
            assert!(below.is_ok(), "{folder}: folders in a circle: {below:?}");
            assert_eq!(
                *block,
                actual,
                "ARCHITECTURE.md draws {folder} differently from the code, where it is:\n{}",
                actual.join("\n")
            );
        }
    }
    assert_eq!(n_blocks, blocks.len(), "a block of no package: {blocks:?}");
    assert!(n_blocks > PACKAGES.len(), "only {n_blocks} blocks drawn");
}

#[test]
fn one_name_stands_for_one_type_within_a_package() {
    let mut shared = Vec::new();
    for (package, folder) in PACKAGES {
        let rooms = rooms(folder, &sources(folder));
        let mut homes: BTreeMap<&str, Vec<&Path>> = BTreeMap::new();
        for room in rooms.values() {
            for name in &room.types {
                homes.entry(name).or_default().push(&room.file);
            }
        }
        assert!(homes.len() >= 20, "{package}: only {} types", homes.len());
        for (name, homes) in homes {
            if homes.len() > 1 {
                shared.push(format!("{package}: {name} in {homes:?}"));
            }
        }
    }
    assert!(
        shared.is_empty(),
        "names of several types:\n{}",
        shared.join("\n")
    );
}
