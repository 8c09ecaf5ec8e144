//! `sightline serve` while what is below it changes: its index, its model, its thumbnails.

use crate::support::http::Server;
use crate::support::{TestEnv, corpus, wait_until};

#[test]
fn another_index_in_its_place_answers_also_in_the_same_generation() {
    let env = TestEnv::indexed();
    corpus::plain(&env.path("others/black.png"), "black");
    let other = env.path("other");
    let index = env.sightline(["index", "others", "--index"]).args([&other]);
    index.run().expect(0);
    let server = Server::start(&env, &[]);
    let list = || server.get("/v1/search?q=type:png").ok();
    let map = || server.get("/v1/map").ok()["points"].clone();
    let (first, generation) = (list(), list()["generation"].clone());
    assert_eq!(
        (&first["total"], map().as_array().unwrap().len()),
        (&8.into(), 8)
    );
    fs_err::rename(env.index(), env.path("old")).unwrap();
    fs_err::rename(&other, env.index()).unwrap();
    wait_until("the other index answers", || list()["total"] == 1);
    assert_eq!(list()["generation"], generation);
    assert_eq!(map().as_array().unwrap().len(), 1);
}

#[test]
fn a_changed_model_is_reported_and_an_absent_index_too() {
    let env = TestEnv::indexed();
    env.colour_model("pale", "0.9");
    let server = Server::start(&env, &[]);
    server.get("/v1/search?q=red").ok();
    let change = env.sightline(["index", "photos", "--model", "pale"]);
    change.run().expect(0);
    wait_until("the other model is noticed", || {
        server.get("/readyz").status != 200
    });
    let detail = server.get("/v1/search?q=red").problem(503, "unavailable");
    assert!(
        detail.contains("model pale") && detail.contains("start `sightline serve` again"),
        "{detail}"
    );
    fs_err::remove_dir_all(env.index()).unwrap();
    let detail = server.get("/readyz").problem(503, "no-index");
    assert!(detail.contains("there is no index here"), "{detail}");
}

#[test]
fn damaged_thumbnails_are_made_again() {
    let env = TestEnv::indexed();
    let server = Server::start(&env, &[]);
    let whole = server.get("/v1/items/1/thumbnail").body;
    let cache = env.path("home/.cache/sightline/thumbnails");
    let folders = fs_err::read_dir(&cache).unwrap();
    let folders = folders.map(|folder| folder.unwrap().path());
    let files = folders.filter(|path| path.is_dir()).flat_map(|folder| {
        let files = fs_err::read_dir(folder).unwrap();
        files.map(|file| file.unwrap().path())
    });
    let files: Vec<_> = files.collect();
    assert!(!files.is_empty());
    for damage in [&b"garbage"[..], b"", &whole[..whole.len() / 2]] {
        for file in &files {
            fs_err::write(file, damage).unwrap();
        }
        assert_eq!(server.get("/v1/items/1/thumbnail").body, whole);
    }
}

#[test]
fn without_a_browser_the_server_goes_on() {
    let env = TestEnv::indexed();
    let command = env.sightline(["serve", "--port", "0", "--open"]);
    let server = Server::of(command.env("PATH", "/nowhere"));
    server.get("/v1/search?q=red").ok();
}
