//! Forms of hits: CSV, copies, links, the viewer, and lines and pictures on a terminal.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use base64::Engine as _;

use crate::support::corpus;
use crate::support::{TestEnv, file_names, set_mode, wait_until};

#[test]
fn csv_has_a_header_and_quotes_what_needs_it() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/a, \"b\".png"), "red");
    env.write("photos/a, \"b\".txt", "a \"red\" door,\nand more\n");
    let odd = OsStr::from_bytes(b"caf\xe9.png");
    corpus::plain(&env.path("photos").join(odd), "green");
    env.index_photos();
    let ran = env.succeed(["search", "red", "--by", "meaning", "--csv"]);
    let root = env.path("photos");
    let root = root.to_str().unwrap();
    let mut lines = ran.stdout().split('\n');
    assert_eq!(
        lines.next().unwrap(),
        "rank,path,path_base64,other_paths,confidence,strength,similarity,by,words,captions,\
         caption,width,height,camera,taken,places,keywords,tags"
    );
    let first = format!("1,\"{root}/a, \"\"b\"\".png\",,,,,");
    let line = lines.next().unwrap();
    assert!(line.starts_with(&first), "{line}");
    assert!(line.ends_with(",meaning,,\"a \"\"red\"\" door,"), "{line}");
    assert_eq!(lines.next().unwrap(), "and more\",,48,32,,,,,");
    let second = lines.next().unwrap();
    let bytes = [root.as_bytes(), b"/caf\xe9.png"].concat();
    let exact = base64::engine::general_purpose::STANDARD.encode(bytes);
    assert!(
        second.starts_with(&format!("2,{root}/caf\u{fffd}.png,{exact},,")),
        "{second}"
    );

    let ran = env.succeed(["captions", "photos/a, \"b\".png", "--csv", "-k1"]);
    let mut lines = ran.stdout().lines();
    assert_eq!(
        lines.next().unwrap(),
        "rank,text,confidence,strength,similarity,words,images,count,source,source_base64"
    );
    assert!(
        lines
            .next()
            .unwrap()
            .starts_with("1,\"a \"\"red\"\" door,\","),
        "{ran}"
    );
    let ran = env
        .sightline(["search", "elephant", "--by", "words", "--csv"])
        .run()
        .expect(1);
    assert_eq!(ran.stdout().lines().count(), 1);
    for other in ["--json", "--paths", "--preview"] {
        env.sightline(["search", "red", "--csv", other])
            .run()
            .expect_usage_error();
    }
}

#[test]
fn hits_are_copied_and_linked_without_replacing_anything() {
    let env = TestEnv::indexed();
    corpus::plain(&env.path("photos/below/red.png"), "blue");
    env.index_photos();
    env.write("to/red.png", "mine");
    let copy = ["search", "red", "--by", "meaning", "-k9", "--copy-to", "to"];
    let ran = env.succeed(copy);
    assert_eq!(ran.stderr(), "copied 8 pictures to to\n");
    assert!(
        ran.stdout().contains("photos/red.png"),
        "the hits are printed too: {ran}"
    );
    assert_eq!(fs_err::read(env.path("to/red.png")).unwrap(), b"mine");
    let read = |path: &str| fs_err::read(env.path(path)).unwrap();
    assert_eq!(read("to/red-2.png"), read("photos/red.png"));
    assert_eq!(file_names(&env.path("to")).len(), 9);
    assert_eq!(
        env.succeed(copy).stderr(),
        "copied 0 pictures to to, 8 were there already\n"
    );
    assert_eq!(file_names(&env.path("to")).len(), 9);

    let ran = env.succeed(["similar", "photos/red.png", "-k2", "--link-to", "new/links"]);
    assert_eq!(ran.stderr(), "linked 2 pictures to new/links\n");
    for name in file_names(&env.path("new/links")) {
        let link = env.path("new/links").join(&name);
        assert!(
            fs_err::read_link(&link)
                .unwrap()
                .starts_with(env.path("photos"))
        );
        assert!(image::open(&link).is_ok(), "{name}");
    }
    env.write("file", "");
    for option in ["--copy-to", "--link-to"] {
        let ran = env.fail(["search", "red", option, "file"]);
        let expected = "error: file: is a file, not a folder\n\nhint: name a folder, which is \
                        created if missing\n";
        assert_eq!(ran.stderr(), expected);
    }
}

#[test]
fn a_picture_that_cannot_be_copied_is_named_and_the_others_are_copied() {
    let env = TestEnv::indexed();
    fs_err::remove_file(env.path("photos/red.png")).unwrap();
    for (verb, done) in [("copy", "copied"), ("link", "linked")] {
        let option = format!("--{verb}-to");
        let search = ["search", "red", "--by", "meaning", &option, done];
        let ran = env.sightline(search).run().expect(2);
        let failed = format!("error: cannot {verb} photos/red.png: ");
        let summary = format!("{done} 7 pictures to {done}, 1 failed");
        assert!(ran.stderr().contains(&failed), "{ran}");
        assert!(ran.stderr().contains(&summary), "{ran}");
        assert_eq!(file_names(&env.path(done)).len(), 7);
    }
    // The pictures of captions.
    env.write("photos/green.txt", "a frog\n");
    env.index_photos();
    let ran = env.succeed([
        "search",
        "frog",
        "--find",
        "captions",
        "-k1",
        "--copy-to",
        "frogs",
    ]);
    assert!(ran.stderr().contains("copied 1 picture to frogs"), "{ran}");
    assert_eq!(file_names(&env.path("frogs")), ["green.png"]);
}

#[test]
fn hits_are_opened_in_the_viewer_of_the_system() {
    let env = TestEnv::indexed();
    let viewer = env.write(
        "bin/xdg-open",
        "#!/bin/sh\necho \"$ORT_DISABLE_TELEMETRY\" >\"$HOME/telemetry\"\n\
         echo \"$1\" >> \"$HOME/opened\"\n",
    );
    set_mode(&viewer, 0o755);
    let opened = |option: &str, n: usize| {
        let _ = fs_err::remove_file(env.path("home/opened"));
        let ran = env.sightline(["search", "red", "--by", "meaning", option]);
        ran.env("PATH", env.path("bin")).run().expect(0);
        let read = || fs_err::read_to_string(env.path("home/opened")).unwrap_or_default();
        wait_until("a viewer", || read().lines().count() >= n);
        let mut opened: Vec<String> = read().lines().map(|path| env.shown(path)).collect();
        opened.sort();
        opened
    };
    assert_eq!(opened("--open", 1), ["photos/red.png"]);
    // What the program starts has its environment.
    let telemetry = fs_err::read_to_string(env.path("home/telemetry")).unwrap();
    assert_eq!(telemetry, "1\n");
    let three = opened("--open=3", 3);
    assert_eq!(
        (three.len(), three.contains(&"photos/red.png".to_owned())),
        (3, true)
    );
    let ran = env
        .sightline(["search", "red", "--open"])
        .env("PATH", "/nowhere")
        .run()
        .expect(2);
    assert!(
        ran.stderr()
            .contains("cannot be opened in a viewer: no program that opens pictures was found"),
        "{ran}"
    );
    for wrong in ["--open=0", "--open=101", "--open=all"] {
        env.fail(["search", "red", wrong]);
    }
}

#[test]
fn lines_fit_a_terminal_and_are_whole_in_a_pipe() {
    let env = TestEnv::new();
    let folder = "photos/a folder with a long name/and another one below it";
    corpus::plain(&env.path(format!("{folder}/IMG_1.png")), "red");
    let caption = "a red door ".repeat(20);
    env.write(format!("{folder}/IMG_1.txt"), &caption);
    env.index_photos();
    let piped = env.succeed(["search", "red"]);
    assert!(
        piped.stdout().contains(&format!("{folder}/IMG_1.png")),
        "{piped}"
    );
    assert!(
        piped.stdout().contains(&format!("“{}”", caption.trim())),
        "{piped}"
    );
    for columns in [40, 60, 80] {
        for find in ["images", "captions"] {
            let command = env.sightline(["search", "red", "--find", find]);
            let ran = command.env("NO_COLOR", "1").run_on_terminal(columns);
            assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
            let lines: Vec<&str> = ran.screen.lines().collect();
            assert_eq!(lines.len(), if find == "images" { 2 } else { 1 });
            for line in &lines {
                let width = line.chars().count();
                assert!(width <= usize::from(columns), "{columns}: {line}");
                assert!(line.contains('…'), "{columns}: {line}");
            }
            assert!(lines[0].contains("IMG_1.png"), "{}", lines[0]);
        }
    }
    let wide = env
        .sightline(["search", "red"])
        .env("NO_COLOR", "1")
        .run_on_terminal(400);
    assert_eq!(wide.screen, piped.stdout());
    // Other forms are never cut.
    let paths = env
        .sightline(["search", "red", "--paths"])
        .run_on_terminal(20);
    assert_eq!(
        env.shown(paths.screen.trim_end()),
        format!("{folder}/IMG_1.png")
    );
}

#[test]
fn pictures_are_shown_on_terminals_only() {
    let env = TestEnv::indexed();
    let search = || env.sightline(["search", "red", "--by", "meaning", "-k2", "--preview"]);
    let blocks = search()
        .env("TERM", "xterm")
        .env("COLORTERM", "truecolor")
        .run_on_terminal(80);
    assert_eq!((blocks.code, blocks.stderr.as_str()), (Some(0), ""));
    assert!(
        blocks.screen.contains("\u{1b}[38;2;255;0;0;48;2;255;0;0m▀"),
        "{}",
        blocks.screen
    );
    // Twelve lines for each picture, and its own.
    assert_eq!(blocks.screen.lines().count(), 2 * 13);
    let few = search().env("TERM", "xterm").run_on_terminal(80);
    assert!(
        few.screen.contains("\u{1b}[38;5;196;48;5;196m▀"),
        "{}",
        few.screen
    );
    let kitty = search().env("TERM", "xterm-kitty").run_on_terminal(80);
    assert_eq!(
        kitty
            .screen
            .matches("\u{1b}_Ga=T,f=100,r=12,q=2,m=0;")
            .count(),
        2
    );
    let iterm = search()
        .env("TERM", "xterm")
        .env("TERM_PROGRAM", "iTerm.app");
    let iterm = iterm.run_on_terminal(80);
    assert_eq!(
        iterm.screen.matches("\u{1b}]1337;File=inline=1;").count(),
        2
    );

    // Without an answer, 500 ms later; with tmux in between, nothing is asked.
    let silent = search().env("TERM", "xterm");
    let silent = silent.run_on_terminal_that_answers(80, b"");
    assert_eq!((silent.code, silent.screen), (Some(0), few.screen));

    let piped = search().run().expect(0);
    assert_eq!(
        piped.stderr(),
        "no pictures are shown: stdout is not a terminal\n"
    );
    assert!(!piped.stdout().contains('\u{1b}'), "{piped}");
    let plain = search()
        .env("TERM", "xterm")
        .env("NO_COLOR", "1")
        .run_on_terminal(80);
    let expected = "no pictures are shown: this terminal shows no colours, or NO_COLOR is set\n";
    assert_eq!(
        (plain.stderr.as_str(), plain.screen.lines().count()),
        (expected, 2)
    );
    fs_err::remove_file(env.path("photos/red.png")).unwrap();
    let missing = search().env("TERM", "xterm").run_on_terminal(80);
    assert!(
        missing.screen.contains("(no preview: "),
        "{}",
        missing.screen
    );
}

/// The pictures in a text that has sixel graphics: width, height, and pixels that were drawn.
fn decoded_sixels(screen: &str) -> Vec<image::RgbaImage> {
    let drawings = screen.split("\u{1b}P").skip(1);
    let pictures = drawings.map(|drawing| {
        let (data, _) = drawing.split_once("\u{1b}\\").unwrap();
        let (_, data) = data.split_once('q').unwrap();
        decoded_sixel(data)
    });
    pictures.collect()
}

/// By chapter 14 of the manual of the VT340: a character from `?` on is a column of six pixels, the
/// lowest bit at the top; `"` states the size, `#` chooses or defines a colour, `!` repeats,
/// `$` returns to the left, `-` goes on to the next six rows.
fn decoded_sixel(data: &str) -> image::RgbaImage {
    let mut rest = data;
    let numbers = |rest: &mut &str| -> Vec<u32> {
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != ';')
            .unwrap_or(rest.len());
        let (digits, after) = rest.split_at(end);
        *rest = after;
        digits.split(';').map(|n| n.parse().unwrap()).collect()
    };
    rest = rest.strip_prefix('"').unwrap();
    let [1, 1, width, height] = numbers(&mut rest)[..] else {
        panic!("{data}")
    };
    let mut picture = image::RgbaImage::new(width, height);
    let mut palette = std::collections::HashMap::new();
    let (mut x, mut y, mut colour, mut n) = (0, 0, image::Rgba([0; 4]), 1);
    while let Some(command) = rest.chars().next() {
        rest = &rest[1..];
        match command {
            '#' => match numbers(&mut rest)[..] {
                [number] => colour = palette[&number],
                [number, 2, red, green, blue] => {
                    let part = |part: u32| u8::try_from((part * 255 + 50) / 100).unwrap();
                    let colour = image::Rgba([part(red), part(green), part(blue), 255]);
                    assert!(palette.insert(number, colour).is_none(), "{number} twice");
                }
                ref other => panic!("{other:?}"),
            },
            '!' => n = numbers(&mut rest)[0],
            '$' => x = 0,
            '-' => (x, y) = (0, y + 6),
            '?'..='~' => {
                for x in x..x + n {
                    let bits = command as u32 - '?' as u32;
                    for row in (0..6).filter(|row| bits >> row & 1 == 1) {
                        picture.put_pixel(x, y + row, colour);
                    }
                }
                (x, n) = (x + n, 1);
            }
            other => panic!("{other:?}"),
        }
    }
    picture
}

#[test]
fn sixel_pictures_are_what_the_photo_shows() {
    let photos = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/photos");
    let env = TestEnv::new();
    fs_err::create_dir_all(env.path("photos")).unwrap();
    let photo = env.path("photos/pagoda.jpg");
    fs_err::copy(photos.join("buildings/pagoda.jpg"), &photo).unwrap();
    env.index_photos();
    let search = |how: &str| {
        env.sightline(["search", "red", "-k1", how])
            .env("TERM", "xterm")
    };
    // What a terminal answers whose characters are 8 × 17 pixels, and that has sixel graphics.
    let answer = b"\x1b[6;17;8t\x1b[?62;4;22c";
    let shown = search("--preview").run_on_terminal_that_answers(80, answer);
    assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""));
    let forced = search("--preview=sixel").run_on_terminal_that_answers(80, answer);
    assert_eq!(forced.screen, shown.screen);
    let piped = search("--preview=sixel").run().expect(0);
    let piped = decoded_sixels(piped.stdout()).remove(0);
    let [picture] = &decoded_sixels(&shown.screen)[..] else {
        panic!("{}", shown.screen)
    };
    let photo = image::open(photo).unwrap().to_rgb8();
    // 36 characters of the terminal's size wide; in a pipe, of that of a VT340.
    for (picture, (width, height)) in [(picture, (288, 192)), (&piped, (360, 240))] {
        assert_eq!(picture.dimensions(), (width, height));
        let is_drawn = |pixel: &image::Rgba<u8>| pixel.0[3] == 255;
        assert!(picture.pixels().all(is_drawn), "a pixel was not drawn");
        // A quarter of the size, in which the ways of reducing a picture hardly differ.
        let (width, height) = (width / 4, height / 4);
        let shown = image::imageops::thumbnail(picture, width, height);
        let expected = image::imageops::thumbnail(&photo, width, height);
        let mut sum = 0;
        for (shown, expected) in shown.pixels().zip(expected.pixels()) {
            let parts = shown.0.iter().zip(expected.0);
            sum += parts.map(|(a, b)| u64::from(a.abs_diff(b))).sum::<u64>();
        }
        let n = u64::from(3 * width * height);
        assert!(
            sum < 6 * n,
            "colours differ by {} of 255 on average",
            sum / n
        );
    }
}

#[test]
fn a_way_of_showing_pictures_can_be_asked_for() {
    let env = TestEnv::indexed();
    let shown = |how: &str| {
        let search = ["search", "red", "--by", "meaning", "-k1", how];
        env.sightline(search).env("TERM", "dumb").run().expect(0)
    };
    let rows = [
        ("--preview=kitty", "\u{1b}_Ga=T,f=100,r=12,q=2,m=0;"),
        ("--preview=iterm", "\u{1b}]1337;File=inline=1;"),
        ("--preview=sixel", "\u{1b}P0;1q\"1;1;"),
        ("--preview=blocks", "\u{1b}[38;5;196;48;5;196m▀"),
    ];
    for (how, start) in rows {
        let ran = shown(how);
        assert!(ran.stdout().contains(start), "{how}: {ran}");
        assert_eq!(ran.stderr(), "", "{how}");
    }
    assert_eq!(rows.len(), 4);
    let ran = env.sightline(["search", "red", "--preview=ascii"]).run();
    assert!(
        ran.stderr().contains("auto, kitty, iterm, sixel, blocks"),
        "{ran}"
    );
    ran.expect_usage_error();
}
