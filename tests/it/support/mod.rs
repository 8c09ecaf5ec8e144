//! Temporary environments to run the program in.

#[cfg(feature = "serve")]
pub(crate) mod browser;
mod copy;
pub(crate) mod corpus;
#[cfg(feature = "serve")]
pub(crate) mod http;
pub(crate) mod hub;
pub(crate) mod numbers;
#[cfg(feature = "serve")]
pub(crate) mod page;
mod terminal;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
#[cfg(feature = "serve")]
use std::io::Read as _;
use std::io::{ErrorKind, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use sightline_index::{IndexError, IndexReader, Item};
use tempfile::TempDir;

pub(crate) use copy::copy_folder;
pub(crate) use terminal::Typing;

/// The executable under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_sightline");

/// A model whose embeddings can be calculated by hand.
pub(crate) const COLOUR_MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/colour_model");

/// Image towers for the colour model, most of them faulty.
pub(crate) const FAULTY_GRAPHS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/faulty_graphs");

/// The CLIP model of the tests of onnx.
pub(crate) const CLIP_MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/onnx/tests/data/clip");

/// The files of [`CLIP_MODEL`].
pub(crate) const CLIP_FILES: [&str; 6] = [
    "config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "onnx/vision_model.onnx",
    "onnx/text_model.onnx",
];

/// Id of a user without rights on the files of others.
pub(crate) const NOBODY: u32 = 65_534;

/// A temporary folder with its own home, data folder and index, in which the program is run.
/// Nothing is inherited from the user's environment.
pub(crate) struct TestEnv {
    _folder: TempDir,
    root: PathBuf,
}

impl TestEnv {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("sightline-it-")
            .tempdir()
            .unwrap();
        let root = fs_err::canonicalize(folder.path()).unwrap();
        for below in ["home", "data", "photos"] {
            fs_err::create_dir(root.join(below)).unwrap();
        }
        Self {
            _folder: folder,
            root,
        }
    }

    /// An environment with an index of eight pictures of one colour each.
    #[track_caller]
    pub(crate) fn indexed() -> Self {
        let env = Self::new();
        corpus::one_of_each(&env.path("photos"));
        env.index_photos();
        env
    }

    pub(crate) fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.root.join(below)
    }

    /// The index that commands use by default.
    pub(crate) fn index(&self) -> PathBuf {
        self.path("index")
    }

    /// The folder of added models.
    pub(crate) fn registry(&self) -> PathBuf {
        self.path("data/sightline/models")
    }

    /// Writes a file, creating the folders above it.
    pub(crate) fn write(&self, below: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(below);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, content).unwrap();
        path
    }

    /// A command of the program, with the colour model.
    pub(crate) fn sightline<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> TestCommand {
        self.program(PROGRAM, arguments)
    }

    /// Runs the program, which must succeed.
    #[track_caller]
    pub(crate) fn succeed<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Ran {
        self.sightline(arguments).run().expect(0)
    }

    /// Runs a command line in a shell that finds the program.
    pub(crate) fn shell(&self, line: &str) -> TestCommand {
        let folder = Path::new(PROGRAM).parent().unwrap();
        let path = format!("{}:/usr/bin:/bin", folder.display());
        self.program("bash", ["-c", line]).env("PATH", path)
    }

    /// Runs the program, which must fail with exit code 2.
    #[track_caller]
    pub(crate) fn fail<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Ran {
        self.sightline(arguments).run().expect(2)
    }

    /// A command of another copy of the program.
    pub(crate) fn program<A: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = A>,
    ) -> TestCommand {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&self.root)
            .env_clear()
            .env("HOME", self.path("home"))
            .env("XDG_DATA_HOME", self.path("data"))
            .env("SIGHTLINE_INDEX", self.index())
            .env("SIGHTLINE_MODEL", COLOUR_MODEL)
            .stdin(Stdio::null());
        TestCommand { command }
    }

    /// Runs `sightline index photos --json` and returns its report.
    #[track_caller]
    pub(crate) fn index_photos(&self) -> Value {
        self.sightline(["index", "photos", "--json"])
            .run()
            .expect(0)
            .json()
    }

    /// The output of `sightline status --json`.
    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        self.sightline(["status", "--json"]).run().json()
    }

    /// Numbers of images, files and captions in the index.
    #[track_caller]
    pub(crate) fn counts(&self) -> [u64; 3] {
        let status = self.status();
        ["images", "files", "captions"].map(|key| status[key].as_u64().unwrap())
    }

    /// Copies the colour model into the folder `name`, with another name and another standard
    /// deviation, which changes its embeddings.
    pub(crate) fn colour_model(&self, name: &str, deviation: &str) -> PathBuf {
        let manifest = fs_err::read_to_string(format!("{COLOUR_MODEL}/sightline.toml")).unwrap();
        let manifest = manifest.replace("\"colours\"", &format!("\"{name}\""));
        let numbers = [deviation; 3].join(", ");
        let manifest = manifest.replace("std = [0.5, 0.5, 0.5]", &format!("std = [{numbers}]"));
        self.write(format!("{name}/sightline.toml"), manifest);
        for file in ["image.onnx", "text.onnx", "tokenizer.json"] {
            let to = self.path(name).join(file);
            fs_err::copy(format!("{COLOUR_MODEL}/{file}"), &to).unwrap();
            let file = std::fs::File::options().write(true).open(to).unwrap();
            let before = SystemTime::now() - Duration::from_hours(1);
            file.set_modified(before).unwrap();
        }
        self.path(name)
    }

    /// Ranked paths that `sightline search` finds.
    #[track_caller]
    pub(crate) fn found<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Vec<String> {
        let ran = self.sightline([OsStr::new("search"), OsStr::new("--paths")]);
        let ran = ran.args(arguments).run().expect(0);
        ran.stdout().lines().map(|path| self.shown(path)).collect()
    }

    /// A path relative to the root.
    pub(crate) fn shown(&self, path: impl AsRef<Path>) -> String {
        let path = path.as_ref();
        path.strip_prefix(&self.root)
            .unwrap_or(path)
            .to_string_lossy()
            .into_owned()
    }

    /// Makes root and photos readable for everyone, for a program run as [`NOBODY`].
    pub(crate) fn open_to_all(&self) {
        for folder in [self.root.clone(), self.path("photos")] {
            set_mode(&folder, 0o755);
        }
    }

    /// Snapshot settings that replace what differs between runs.
    pub(crate) fn settings(&self, ran: &Ran) -> insta::Settings {
        let mut settings = insta::Settings::clone_current();
        settings.set_description(ran.command.clone());
        settings.set_omit_expression(true);
        let root = self.root.to_str().unwrap().replace('.', r"\.");
        settings.add_filter(&root, "[ROOT]");
        settings.add_filter(&COLOUR_MODEL.replace('.', r"\."), "[COLOUR_MODEL]");
        settings.add_filter(r"in \d+\.\d s( \(\d+\.\d/s\))?", "in [TIME]");
        settings.add_filter(r#""took_ms": \d+(\.\d+)?"#, r#""took_ms": [TIME]"#);
        settings.add_filter(r#"("similarity": -?\d\.\d{1,3})\d*"#, "$1");
        settings.add_filter(r#""id": \d+"#, r#""id": [ID]"#);
        settings.add_filter(r"process \d+", "process [PID]");
        settings
    }
}

/// Asserts exit code, stdout and stderr of a command.
macro_rules! snapshot {
    ($env:expr, $ran:expr, @$expected:literal) => {{
        let ran = &$ran;
        $env.settings(ran).bind(|| insta::assert_snapshot!(ran.to_string(), @$expected));
    }};
}
pub(crate) use snapshot;

/// A command that has not started yet.
pub(crate) struct TestCommand {
    command: Command,
}

impl TestCommand {
    pub(crate) fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Uses the built-in model.
    pub(crate) fn starter(mut self) -> Self {
        self.command.env_remove("SIGHTLINE_MODEL");
        self
    }

    /// Uses this file as stdin.
    pub(crate) fn stdin(mut self, file: &Path) -> Self {
        self.command
            .stdin(fs_err::File::open(file).unwrap().into_parts().0);
        self
    }

    /// Uses this text as stdin.
    pub(crate) fn typed(mut self, text: &str) -> Self {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.rewind().unwrap();
        self.command.stdin(file);
        self
    }

    /// Uses the reading end of a pipe as stdin.
    #[cfg(feature = "serve")]
    pub(crate) fn piped(mut self, stdin: std::io::PipeReader) -> Self {
        self.command.stdin(stdin);
        self
    }

    /// Uses the default index.
    pub(crate) fn default_index(mut self) -> Self {
        self.command.env_remove("SIGHTLINE_INDEX");
        self
    }

    /// Runs as a user to whom permissions apply, even if root runs the tests.
    pub(crate) fn bound_by_permissions(mut self) -> Self {
        if as_root() {
            self.command.uid(NOBODY).gid(NOBODY);
        }
        self
    }

    /// Starts the command and captures stdout and stderr.
    pub(crate) fn spawn(mut self) -> Running {
        let line = self.line();
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn();
        // A program that was just copied is busy while a child that another test forked meanwhile
        // still holds the copy open: until that child is another program.
        for _ in 0..1_000 {
            match &child {
                Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {
                    std::thread::sleep(Duration::from_millis(20));
                    child = self.command.spawn();
                }
                _ => break,
            }
        }
        Running {
            child: child.unwrap_or_else(|error| panic!("{line}: {error}")),
            line,
        }
    }

    pub(crate) fn run(self) -> Ran {
        self.spawn().wait()
    }

    fn line(&self) -> String {
        let name = Path::new(self.command.get_program())
            .file_name()
            .unwrap_or_default();
        let mut line = name.to_os_string();
        for argument in self.command.get_args() {
            line.push(" ");
            line.push(argument);
        }
        let line = line.to_string_lossy();
        // Shortened: some arguments are thousands of words long.
        line.chars().take(300).collect()
    }
}

/// A running command.
pub(crate) struct Running {
    child: Child,
    line: String,
}

impl Running {
    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(self.pid(), signal).unwrap();
    }

    /// The next line that it writes to stderr.
    #[cfg(feature = "serve")]
    pub(crate) fn next_note(&mut self) -> String {
        let stderr = self.child.stderr.as_mut().unwrap();
        let bytes = std::iter::from_fn(|| {
            let mut byte = [0];
            let n_read = stderr.read(&mut byte).unwrap();
            (n_read == 1 && byte != *b"\n").then_some(byte[0])
        });
        String::from_utf8(bytes.collect()).unwrap()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Closes the reading end of its stdout.
    pub(crate) fn close_stdout(&mut self) {
        self.child.stdout.take();
    }

    pub(crate) fn wait(self) -> Ran {
        let Self {
            child,
            line: command,
        } = self;
        let output = child.wait_with_output().unwrap();
        Ran {
            command,
            code: output.status.code(),
            signal: output.status.signal(),
            stdout: output.stdout,
            stderr: output.stderr,
        }
    }

    fn pid(&self) -> nix::unistd::Pid {
        nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }
}

/// Exit status and output of a command.
pub(crate) struct Ran {
    command: String,
    code: Option<i32>,
    signal: Option<i32>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Ran {
    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert!(
            self.code == Some(code),
            "expected exit code {code} of {}\n{self}",
            self.command
        );
        self
    }

    /// Asserts a usage error: exit code 2, nothing on stdout, usage or `--help` on stderr.
    #[track_caller]
    pub(crate) fn expect_usage_error(self) {
        let ran = self.expect(2);
        assert_eq!(ran.stdout(), "", "{}", ran.command);
        let is_usage = |text: &str| ran.stderr().contains(text);
        assert!(
            is_usage("Usage: sightline") || is_usage("try '--help'"),
            "{}: {ran}",
            ran.command
        );
    }

    pub(crate) fn signal(&self) -> Option<i32> {
        self.signal
    }

    #[track_caller]
    pub(crate) fn stdout(&self) -> &str {
        str::from_utf8(&self.stdout).unwrap_or_else(|_| panic!("not UTF-8\n{self}"))
    }

    pub(crate) fn stdout_bytes(&self) -> &[u8] {
        &self.stdout
    }

    #[track_caller]
    pub(crate) fn stderr(&self) -> &str {
        str::from_utf8(&self.stderr).unwrap_or_else(|_| panic!("not UTF-8\n{self}"))
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (Some(code), _) => writeln!(f, "exit code: {code}")?,
            (None, signal) => writeln!(f, "ended by signal {signal:?}")?,
        }
        writeln!(
            f,
            "----- stdout -----\n{}",
            String::from_utf8_lossy(&self.stdout)
        )?;
        write!(
            f,
            "----- stderr -----\n{}",
            String::from_utf8_lossy(&self.stderr)
        )
    }
}

/// Whether root runs the tests, to whom permissions do not apply.
pub(crate) fn as_root() -> bool {
    let own = tempfile::tempfile().unwrap();
    own.metadata().unwrap().uid() == 0
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Links the program, alone or with ONNX Runtime, into a folder of `env`: for tests of the search
/// path, and for users without access to the build folder.
pub(crate) fn copy_program(env: &TestEnv, folder: &str, with_runtime: bool) -> PathBuf {
    let folder = env.path(folder);
    fs_err::create_dir_all(&folder).unwrap();
    set_mode(&folder, 0o755);
    let program = folder.join("sightline");
    link(Path::new(PROGRAM), &program);
    if with_runtime {
        link(
            &runtime_library(),
            &folder.join(sightline::platform::RUNTIME_LIBRARY),
        );
    }
    program
}

/// The ONNX Runtime library that `make setup` puts beside the executable.
pub(crate) fn runtime_library() -> PathBuf {
    let library = Path::new(PROGRAM).with_file_name(sightline::platform::RUNTIME_LIBRARY);
    assert!(
        library.is_file(),
        "{} is missing: run `make setup`",
        library.display()
    );
    library
}

/// Hard link to a file, or a copy where the file system has no hard links.
fn link(from: &Path, to: &Path) {
    let from = fs_err::canonicalize(from).unwrap();
    if fs_err::hard_link(&from, to).is_err() {
        fs_err::copy(&from, to).unwrap();
        set_mode(to, 0o755);
    }
}

/// File name and similarity of each hit in the answer of a search.
pub(crate) fn hits(answer: &Value) -> Vec<(String, f64)> {
    let hits = answer["hits"].as_array().expect("a list of hits");
    hits.iter()
        .map(|hit| {
            let path = Path::new(hit["path"].as_str().expect("a path"));
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, hit["similarity"].as_f64().unwrap_or(f64::NAN))
        })
        .collect()
}

/// Names of the files and folders in a folder, sorted.
pub(crate) fn file_names(folder: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Waits until a condition holds, at most a minute.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_mins(1), "timeout: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Vector and captions of each picture in an index whose pictures have one file each.
pub(crate) type Content = BTreeMap<PathBuf, (Vec<f32>, Vec<String>)>;

/// The committed content of an index; empty if the index does not exist.
pub(crate) fn content(index: &Path) -> Content {
    let reader = match IndexReader::open(index, None) {
        Ok(reader) => reader,
        Err(IndexError::NoIndex { .. }) => return Content::new(),
        Err(error) => panic!("{}: {error}", index.display()),
    };
    let mut content = Content::new();
    for (path, record) in reader.files().unwrap() {
        let Some(Item::Image(image)) = reader.item(record.image).unwrap() else {
            panic!("{} has no picture", path.display())
        };
        assert_eq!(image.paths, std::slice::from_ref(&path));
        let vector = reader.vector(record.image).unwrap().expect("a vector");
        let captions = reader.captions_of(record.image).unwrap();
        let captions = captions.into_iter().map(|caption| caption.text).collect();
        content.insert(path, (vector.as_slice().to_vec(), captions));
    }
    assert_eq!(reader.counts().n_files, content.len() as u64);
    content
}

/// Arguments of different string types.
pub(crate) fn os(arguments: &[&dyn AsRef<OsStr>]) -> Vec<OsString> {
    arguments
        .iter()
        .map(|argument| argument.as_ref().to_os_string())
        .collect()
}
