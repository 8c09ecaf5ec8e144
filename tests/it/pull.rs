//! `sightline models pull`, from a hub served by the test.

use std::net::TcpListener;
use std::path::Path;

use sha1::Digest;

use crate::support::corpus;
use crate::support::hub::{Behaviour, COMMIT, Hub, REPOSITORY, files, git_sha1, hex};
use crate::support::{Ran, TestCommand, TestEnv, wait_until};

fn pull(env: &TestEnv, hub: &Hub, arguments: &[&str]) -> Ran {
    command(env, &hub.address, arguments).run()
}

fn command(env: &TestEnv, address: &str, arguments: &[&str]) -> TestCommand {
    // Random weights match by chance at best.
    env.sightline(["models", "pull", REPOSITORY, "--anyway"])
        .args(arguments)
        .env("HF_ENDPOINT", address)
        .starter()
}

/// Asserts one error that contains `part`, and a hint that contains `hint`.
#[track_caller]
fn assert_error(ran: &Ran, part: &str, hint: &str) {
    let stderr = ran.stderr();
    let errors: Vec<_> = stderr
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    assert_eq!(errors.len(), 1, "{ran}");
    assert!(errors[0].contains(part), "{part}\n{ran}");
    let line = stderr.lines().find(|line| line.starts_with("hint: "));
    assert!(
        line.is_some_and(|line| line.contains(hint)),
        "{hint}\n{ran}"
    );
}

#[track_caller]
fn assert_nothing_registered(env: &TestEnv) {
    let listed = env
        .sightline(["models", "list", "--json"])
        .starter()
        .run()
        .expect(0);
    assert!(!listed.stdout().contains("tiny-clip"), "{listed}");
    assert!(!env.registry().join("tiny-clip").exists());
}

/// Size of the partial download of a file.
fn part_of(env: &TestEnv, file: &str) -> Option<u64> {
    let path = env.registry().join(".tiny-clip.part").join(file);
    let name = format!("{}.", path.file_name().unwrap().to_str().unwrap());
    let entries = fs_err::read_dir(path.parent().unwrap()).ok()?;
    let mut parts = entries.map(Result::unwrap).filter(|entry| {
        let found = entry.file_name().into_string().unwrap();
        found.starts_with(&name)
    });
    Some(parts.next()?.metadata().unwrap().len())
}

#[test]
fn a_model_is_downloaded_checked_and_used() {
    let env = TestEnv::new();
    let hub = Hub::new(Behaviour::default());
    let ran = pull(&env, &hub, &[]).expect(0);
    assert!(ran.stdout().contains("pulled tiny-clip"), "{ran}");
    assert!(ran.stderr().contains("licence: mit"), "{ran}");
    let folder = env.registry().join("tiny-clip");
    let mut n_files = 0;
    for (path, content) in files() {
        if path == "pytorch_model.bin" {
            assert!(!folder.join(path).exists());
            continue;
        }
        assert_eq!(fs_err::read(folder.join(&path)).unwrap(), content, "{path}");
        assert_eq!(hub.requests_of(&format!("/{path}")).len(), 1);
        n_files += 1;
    }
    assert_eq!(n_files, 7);
    // All files come from the listed commit, and nothing else was requested.
    assert_eq!(hub.requests_of(COMMIT).len(), 7);
    assert_eq!(hub.requests.lock().unwrap().len(), 8);
    assert!(!env.registry().join(".tiny-clip.part").exists());

    corpus::one_of_each(&env.path("photos"));
    let with_it = |arguments: &[&str]| {
        env.sightline(arguments)
            .args(["--model", "tiny-clip"])
            .run()
    };
    with_it(&["index", "photos"]).expect(0);
    // Its weights are random, so nothing is likely.
    let hits = with_it(&["search", "a red square", "--paths"]).expect(1);
    assert_eq!(hits.stdout().lines().count(), 8, "{hits}");

    // Again: only with another name or with --force.
    let ran = pull(&env, &hub, &[]).expect(2);
    assert_error(&ran, "a model of this name already exists", "--name");
    env.sightline(["models", "default", "tiny-clip"])
        .starter()
        .run()
        .expect(0);
    pull(&env, &hub, &["--force"]).expect(0);
    let default = env
        .sightline(["models", "default"])
        .starter()
        .run()
        .expect(0);
    assert!(default.stdout().contains("tiny-clip"), "{default}");
}

#[test]
fn origin_and_licence_are_recorded() {
    let env = TestEnv::new();
    let hub = Hub::new(Behaviour {
        repository: Some("Xenova/clip-vit-base-patch32"),
        replaced: &[("README.md", "# Nothing about licences")],
        ..Behaviour::default()
    });
    let from_hub = |which: &str| {
        let command = env
            .sightline(["models", "pull", which, "--anyway"])
            .starter();
        command.env("HF_ENDPOINT", &hub.address).run()
    };
    // The catalogue has the licence of a model pulled by its short name.
    let ran = from_hub("CLIP-ViT-B-32").expect(0);
    assert!(ran.stderr().contains("licence: MIT"), "{ran}");
    let info = |name: &str| {
        let command = env.sightline(["models", "info", name]).starter();
        command.run().expect(0)
    };
    let printed = info("clip-vit-b-32");
    assert!(printed.stdout().contains("licence      MIT\n"), "{printed}");
    let origin = "origin       Xenova/clip-vit-base-patch32 at 01234567\n";
    assert!(printed.stdout().contains(origin), "{printed}");
    let json = env.sightline(["models", "info", "clip-vit-b-32", "--json"]);
    let json = json.starter().run().expect(0).json();
    assert_eq!(json["license"], "MIT");
    assert_eq!(json["origin"]["repository"], "Xenova/clip-vit-base-patch32");
    assert_eq!(json["origin"]["commit"], COMMIT);
    // A later check keeps it.
    let check = env.sightline(["models", "check", "clip-vit-b-32"]);
    check.starter().run().expect(2);
    assert!(info("clip-vit-b-32").stdout().contains(origin));
    env.sightline(["models", "remove", "clip-vit-b-32"])
        .starter()
        .run()
        .expect(0);
    // Pulled by its repository, the licence is unknown.
    let ran = from_hub("Xenova/clip-vit-base-patch32").expect(0);
    assert!(ran.stderr().contains("licence: not stated"), "{ran}");
    let printed = info("clip-vit-base-patch32");
    assert!(
        printed.stdout().contains("licence      not stated\n"),
        "{printed}"
    );
}

#[test]
fn an_unusable_download_can_be_completed_by_hand() {
    let env = TestEnv::new();
    let hub = Hub::new(Behaviour {
        replaced: &[(
            "preprocessor_config.json",
            "{\"image_processor_type\": \"FooImageProcessor\"}",
        )],
        ..Behaviour::default()
    });
    let ran = pull(&env, &hub, &[]).expect(2);
    assert_error(
        &ran,
        "someone/tiny-clip: downloaded, but not usable",
        "then run `sightline models add",
    );
    let message = "cannot determine image.resize, image.interpolation, image.mean, image.std";
    assert!(ran.stderr().contains(message), "{ran}");
    assert_nothing_registered(&env);
    // The fix given by the hint.
    let part = env.registry().join(".tiny-clip.part");
    let manifest = "image.resize = \"shortest-edge\"\nimage.interpolation = \"bicubic\"\n\
                    image.mean = [0.48, 0.46, 0.41]\nimage.std = [0.27, 0.26, 0.28]\n\
                    image.edge = 32\nimage.rescale = 0.00392156862745098\n";
    fs_err::write(part.join("sightline.toml"), manifest).unwrap();
    let add = env
        .sightline([
            "models",
            "add",
            part.to_str().unwrap(),
            "--name",
            "tiny-clip",
            "--anyway",
        ])
        .starter()
        .run()
        .expect(0);
    assert!(add.stdout().contains("added tiny-clip"), "{add}");
}

#[test]
fn a_text_only_model_is_refused_before_downloading() {
    let env = TestEnv::new();
    let hub = Hub::new(Behaviour {
        replaced: &[
            ("preprocessor_config.json", ""),
            ("onnx/vision_model.onnx", ""),
            ("onnx/text_model.onnx", ""),
            ("onnx/model.onnx", "words"),
        ],
        ..Behaviour::default()
    });
    let ran = pull(&env, &hub, &[]).expect(2);
    assert_error(&ran, "only a text tower, without an image tower", "--text");
    assert_eq!(hub.requests.lock().unwrap().len(), 1);
}

#[test]
fn what_cannot_work_is_refused_before_its_graphs_are_downloaded() {
    type Replaced = &'static [(&'static str, &'static str)];
    const NAFLEX: &str = "{\"image_processor_type\": \"Siglip2ImageProcessorFast\"}";
    let cases: [(Replaced, &str, &str); 6] = [
        (
            &[
                ("onnx/vision_model.onnx", ""),
                ("onnx/text_model.onnx", ""),
                ("onnx/vision_model_q4f16.onnx", "graph"),
                ("onnx/text_model_q4f16.onnx", "graph"),
            ],
            "only 4-bit graphs, such as onnx/vision_model_q4f16.onnx",
            "graphs in fp32, fp16 or int8",
        ),
        (
            &[
                ("onnx/text_model.onnx", ""),
                ("onnx/text_model_bnb4.onnx", "graph"),
            ],
            "only 4-bit graphs, such as onnx/text_model_bnb4.onnx",
            "graphs in fp32, fp16 or int8",
        ),
        (
            &[("onnx/text_model.onnx", "")],
            "only an image tower, without a text tower",
            "--text TEXT_FOLDER",
        ),
        (
            &[("onnx/vision_model.onnx", ""), ("onnx/text_model.onnx", "")],
            "pytorch_model.bin without an ONNX export",
            "optimum-cli export onnx --model someone/tiny-clip",
        ),
        (
            &[("preprocessor_config.json", NAFLEX)],
            "a NaFlex model",
            "models pull siglip2-base",
        ),
        (
            &[("preprocessor_config.json", "{")],
            "the files that describe the model are not usable",
            "its graphs were not downloaded",
        ),
    ];
    let mut n_cases = 0;
    for (replaced, error, hint) in cases {
        let env = TestEnv::new();
        let hub = Hub::new(Behaviour {
            replaced,
            ..Behaviour::default()
        });
        let ran = pull(&env, &hub, &[]).expect(2);
        assert_error(&ran, error, hint);
        assert!(hub.requests_of(".onnx").is_empty(), "{ran}");
        assert_nothing_registered(&env);
        n_cases += 1;
    }
    assert_eq!(n_cases, 6);
}

#[test]
fn a_model_that_matches_by_chance_is_kept_for_anyway() {
    let env = TestEnv::new();
    let hub = Hub::new(Behaviour::default());
    let pull = |arguments: &[&str]| {
        let command = env.sightline(["models", "pull", REPOSITORY]).starter();
        let command = command.args(arguments).env("HF_ENDPOINT", &hub.address);
        command.run()
    };
    let ran = pull(&[]).expect(2);
    assert_error(&ran, "no better than chance", "--anyway");
    assert!(ran.stderr().contains("the download is kept"), "{ran}");
    assert_nothing_registered(&env);
    let ran = pull(&["--anyway"]).expect(0);
    assert!(ran.stdout().contains("pulled tiny-clip"), "{ran}");
    assert_eq!(hub.requests_of("vision_model.onnx").len(), 1);
}

#[test]
fn a_broken_download_resumes_where_it_stopped() {
    let env = TestEnv::new();
    let file = "onnx/vision_model.onnx";
    let hub = Hub::new(Behaviour {
        cut: Some((file, 50_000, 1)),
        ..Behaviour::default()
    });
    pull(&env, &hub, &[]).expect(0);
    let requests = hub.requests_of(file);
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].headers.get("range"), None);
    assert_eq!(requests[1].headers["range"], "bytes=50000-");
    let content = fs_err::read(env.registry().join("tiny-clip").join(file)).unwrap();
    assert!(content == files()[file], "the two parts are not the file");
}

#[test]
fn a_download_that_keeps_breaking_fails_and_resumes_later() {
    let env = TestEnv::new();
    let file = "onnx/vision_model.onnx";
    let hub = Hub::new(Behaviour {
        cut: Some((file, 7_000, usize::MAX)),
        ..Behaviour::default()
    });
    let ran = pull(&env, &hub, &[]).expect(2);
    assert_error(&ran, "broke 5 times in a row", "run the same command again");
    assert_eq!(hub.requests_of(file).len(), 5);
    assert_nothing_registered(&env);
    assert_eq!(part_of(&env, file), Some(35_000));

    // A downloaded file is damaged in the meantime.
    env.write("data/sightline/models/.tiny-clip.part/config.json", "{}");
    hub.behave(Behaviour::default());
    let n_before = hub.requests.lock().unwrap().len();
    pull(&env, &hub, &[]).expect(0);
    let last = hub.requests_of(file).pop().unwrap();
    assert_eq!(last.headers["range"], "bytes=35000-");
    // The listing, this file, and the damaged one; the others were kept.
    assert_eq!(hub.requests.lock().unwrap().len() - n_before, 3);
    for file in ["README.md", "onnx/text_model.onnx"] {
        assert_eq!(hub.requests_of(file).len(), 1, "{file}");
    }
}

/// Puts a file into a cache as Hugging Face's libraries do: a blob named after its hash, and a link
/// to it in the snapshot.
fn put_in_cache(cache: &Path, file: &str, hash: &str, content: &[u8]) {
    let folder = cache.join("models--someone--tiny-clip");
    let link = folder.join("snapshots").join(COMMIT).join(file);
    let blob = folder.join("blobs").join(hash);
    for path in [&link, &blob] {
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    }
    fs_err::write(&blob, content).unwrap();
    std::os::unix::fs::symlink(&blob, &link).unwrap();
}

/// Two files as they are in a cache: one of LFS, one of git.
fn cached_files() -> [(&'static str, String, Vec<u8>); 2] {
    let (graph, text) = ("onnx/vision_model.onnx", "tokenizer.json");
    let mut files = files();
    let (graph_content, text_content) = (files.remove(graph).unwrap(), files.remove(text).unwrap());
    let sha256 = hex(&sha2::Sha256::digest(&graph_content));
    let sha1 = git_sha1(&text_content);
    [(graph, sha256, graph_content), (text, sha1, text_content)]
}

#[test]
fn files_in_the_shared_cache_are_not_downloaded() {
    let places = [
        ("HF_HUB_CACHE", "cache", "cache"),
        ("HF_HOME", "hf", "hf/hub"),
        ("XDG_CACHE_HOME", "xdg", "xdg/huggingface/hub"),
        ("UNRELATED", "x", "home/.cache/huggingface/hub"),
    ];
    for (variable, value, cache) in places {
        let env = TestEnv::new();
        let hub = Hub::new(Behaviour::default());
        for (file, hash, content) in cached_files() {
            put_in_cache(&env.path(cache), file, &hash, &content);
        }
        let ran = command(&env, &hub.address, &[])
            .env(variable, env.path(value))
            .run()
            .expect(0);
        let note = "2 of 7 files were in the Hugging Face cache\n";
        assert!(ran.stderr().contains(note), "{variable}\n{ran}");
        for (file, _, content) in cached_files() {
            assert_eq!(hub.requests_of(file).len(), 0, "{variable}: {file}");
            let copied = fs_err::read(env.registry().join("tiny-clip").join(file)).unwrap();
            assert!(copied == content, "{variable}: {file}");
        }
        // The listing, and the other files.
        assert_eq!(hub.requests.lock().unwrap().len(), 6, "{variable}");
    }
}

#[test]
fn a_damaged_file_in_the_shared_cache_is_downloaded() {
    let env = TestEnv::new();
    let hub = Hub::new(Behaviour::default());
    let [
        (graph, sha256, mut graph_content),
        (text, sha1, mut text_content),
    ] = cached_files();
    graph_content[1000] ^= 1;
    text_content.pop();
    let cache = env.path("cache");
    put_in_cache(&cache, graph, &sha256, &graph_content);
    put_in_cache(&cache, text, &sha1, &text_content);
    let ran = command(&env, &hub.address, &[])
        .env("HF_HUB_CACHE", cache)
        .run()
        .expect(0);
    assert!(!ran.stderr().contains("Hugging Face cache"), "{ran}");
    for file in [graph, text] {
        assert_eq!(hub.requests_of(&format!("/{file}")).len(), 1, "{file}");
        let content = fs_err::read(env.registry().join("tiny-clip").join(file)).unwrap();
        assert!(content == files()[file], "{file}");
    }
}

#[test]
fn a_server_without_ranges_sends_the_whole_file_again() {
    let env = TestEnv::new();
    let file = "onnx/text_model.onnx";
    let hub = Hub::new(Behaviour {
        cut: Some((file, 60_000, 1)),
        no_ranges: true,
        ..Behaviour::default()
    });
    pull(&env, &hub, &[]).expect(0);
    assert_eq!(hub.requests_of(file).len(), 2);
    let content = fs_err::read(env.registry().join("tiny-clip").join(file)).unwrap();
    assert!(content == files()[file]);
}

#[test]
fn a_hash_mismatch_is_an_error_and_registers_nothing() {
    let mut n_cases = 0;
    for (file, hash) in [
        ("onnx/vision_model.onnx", "SHA-256"),
        ("tokenizer.json", "git SHA-1"),
    ] {
        let env = TestEnv::new();
        let hub = Hub::new(Behaviour {
            corrupted: Some(file),
            ..Behaviour::default()
        });
        let ran = pull(&env, &hub, &[]).expect(2);
        assert_error(
            &ran,
            &format!("{file}: {hash} mismatch: expected "),
            "again",
        );
        assert_nothing_registered(&env);
        // A corrupted download is deleted, not resumed.
        assert_eq!(part_of(&env, file), None);
        hub.behave(Behaviour::default());
        pull(&env, &hub, &[]).expect(0);
        n_cases += 1;
    }
    assert_eq!(n_cases, 2);
}

#[test]
fn refused_downloads_have_a_hint() {
    let env = TestEnv::new();
    let hub = Hub::new(Behaviour::default());
    let mut n_cases = 0;
    for (status, part, hint) in [
        (404, "no such model on 127.0.0.1", "--list"),
        (401, "access denied by 127.0.0.1", "HF_TOKEN"),
        (403, "access denied by 127.0.0.1", "HF_TOKEN"),
        (429, "responded with status 429", "try again later"),
        (503, "responded with status 503", "try again later"),
    ] {
        hub.behave(Behaviour {
            status: Some(status),
            ..Behaviour::default()
        });
        assert_error(&pull(&env, &hub, &[]).expect(2), part, hint);
        n_cases += 1;
    }
    assert_eq!(n_cases, 5);
    hub.behave(Behaviour::default());
    let ran = pull(&env, &hub, &["--precision", "fp16"]).expect(2);
    assert_error(&ran, "no fp16 graphs, only fp32", "leave out `--precision`");
    let ran = env
        .sightline(["models", "pull", "clip-vit-b-23"])
        .starter()
        .run()
        .expect(2);
    assert_error(
        &ran,
        "neither a model in the catalogue nor an OWNER/REPO",
        "clip-vit-b-32",
    );
    let ran = command(&env, "not an address", &[]).run().expect(2);
    assert_error(&ran, "not a valid hub URL", "HF_ENDPOINT");
    let ran = pull(&env, &hub, &["--name", "../x"]).expect(2);
    assert_error(&ran, "not a valid model name", "--name");
    assert_nothing_registered(&env);
}

#[test]
fn the_token_is_sent_to_the_hub_only() {
    let env = TestEnv::new();
    let store = Hub::new(Behaviour::default());
    let hub = Hub::new(Behaviour {
        token: Some("hf_secret"),
        files_at: Some(store.address.clone()),
        ..Behaviour::default()
    });
    let ran = command(&env, &hub.address, &[])
        .env("HF_TOKEN", "hf_secret")
        .run()
        .expect(0);
    assert!(!ran.stderr().contains("hf_secret") && !ran.stdout().contains("hf_secret"));
    let received = hub.requests.lock().unwrap().clone();
    assert_eq!(received.len(), 8);
    for request in &received {
        assert_eq!(request.headers["authorization"], "Bearer hf_secret");
    }
    let sent = store.requests.lock().unwrap().clone();
    assert_eq!(sent.len(), 7, "the files are not from the other server");
    for request in &sent {
        assert!(
            !request.headers.contains_key("authorization"),
            "{request:?}"
        );
    }
    // Without a token, or with a wrong one.
    for (token, hint) in [
        ("", "accept its licence"),
        ("hf_other", "HF_TOKEN was sent"),
    ] {
        let ran = command(&env, &hub.address, &["--name", "x"])
            .env("HF_TOKEN", token)
            .run();
        assert_error(&ran.expect(2), "access denied by 127.0.0.1", hint);
    }
}

#[test]
fn an_unreachable_hub_is_one_error_with_a_hint() {
    let env = TestEnv::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let ran = command(&env, &address, &[]).run().expect(2);
    assert_error(
        &ran,
        "cannot reach 127.0.0.1",
        "sightline models add FOLDER",
    );
    assert_nothing_registered(&env);
}

#[test]
fn an_interrupted_download_resumes() {
    let env = TestEnv::new();
    let file = "onnx/vision_model.onnx";
    let hub = Hub::new(Behaviour {
        slow: Some(file),
        ..Behaviour::default()
    });
    let mut running = command(&env, &hub.address, &[]).spawn();
    wait_until("the download has begun", || {
        assert!(!running.has_ended());
        part_of(&env, file).is_some_and(|n_bytes| n_bytes >= 4000)
    });
    running.signal(nix::sys::signal::Signal::SIGINT);
    let ran = running.wait().expect(130);
    assert!(
        ran.stderr()
            .contains("Run the same command again to resume"),
        "{ran}"
    );
    assert_nothing_registered(&env);
    let n_bytes = part_of(&env, file).unwrap();
    assert!(
        n_bytes >= 4000 && n_bytes < files()[file].len() as u64,
        "{n_bytes}"
    );

    hub.behave(Behaviour::default());
    pull(&env, &hub, &[]).expect(0);
    let last = hub.requests_of(file).pop().unwrap();
    assert_eq!(last.headers["range"], format!("bytes={n_bytes}-"));
}

#[test]
fn the_list_names_models_and_licences() {
    let env = TestEnv::new();
    let ran = env
        .sightline(["models", "pull", "--list"])
        .starter()
        .run()
        .expect(0);
    let names = [
        "clip-vit-b-32",
        "clip-vit-l-14",
        "siglip-base",
        "siglip2-base",
        "mobileclip-s0",
        "mobileclip-s2",
        "multilingual-clip",
    ];
    for name in names {
        assert!(
            ran.stdout().lines().any(|line| line.starts_with(name)),
            "{name}\n{ran}"
        );
    }
    assert_eq!(ran.stdout().lines().count(), 14);
}
