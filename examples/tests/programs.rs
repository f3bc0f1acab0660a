//! The programs `affinity` and `tcp_service`, run as their users run them.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Output, Stdio},
    time::Duration,
};

use sha2::{Digest, Sha256};

/// More than anything here needs.
const LONG: Duration = Duration::from_secs(50);

/// A program of `examples/rust`; `cargo test` has built it.
fn program(name: &str) -> Command {
    let deps = env::current_exe().unwrap();
    let folder = deps.ancestors().nth(2).unwrap().join("examples");
    let path = folder.join(name).with_extension(env::consts::EXE_EXTENSION);
    assert!(path.is_file(), "no {}: run the whole of `cargo test`", path.display());
    Command::new(path)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn run(name: &str, arguments: &[&str]) -> Output {
    program(name).args(arguments).output().unwrap()
}

#[test]
fn bad_arguments_say_what_is_to_be_written() {
    for (name, arguments, message) in [
        ("affinity", &["--threads", "0"][..], "--threads is at least 1, got \"0\""),
        ("affinity", &["--threads", "many"], "--threads is at least 1, got \"many\""),
        ("affinity", &["a", "b"], "unexpected argument \"b\""),
        ("tcp_service", &["--port", "65536"], "--port is from 0 to 65535, got \"65536\""),
        ("tcp_service", &["--loops", "0"], "--loops is at least 1, got \"0\""),
        ("tcp_service", &["--grace", "soon"], "--grace is in seconds, got \"soon\""),
        ("tcp_service", &["--grace=-1"], "--grace: cannot convert float seconds to Duration"),
        ("tcp_service", &["--fast"], "invalid option '--fast'"),
    ] {
        let done = run(name, arguments);
        let errors = text(&done.stderr);
        assert_eq!((done.status.code(), &*done.stdout), (Some(2), &b""[..]), "{errors}");
        assert!(errors.starts_with(&format!("error: {message}")), "{errors}");
        assert!(errors.contains(&format!("usage: {name} ")), "{errors}");

        let done = run(name, &["--help"]);
        assert!(done.status.success());
        assert!(text(&done.stdout).starts_with(&format!("usage: {name} ")));
    }
}

/// A file of these lines, removed with the value.
struct Lines(PathBuf);

impl Lines {
    fn new(name: &str, lines: &str) -> Self {
        let path = env::temp_dir().join(format!("thrasks-{name}-{}.csv", std::process::id()));
        fs::write(&path, lines).unwrap();
        Self(path)
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn affinity_books_everything_about_an_account_on_one_loop() {
    let lines: String = (0..5_000_i64).map(|i| format!("account{},{}\n", i % 9, i - 7)).collect();
    let file = Lines::new("good", &lines);
    let done = run("affinity", &["--threads", "3", file.0.to_str().unwrap()]);
    assert_eq!((done.status.code(), text(&done.stderr)), (Some(0), ""));

    let mut found: Vec<Vec<_>> =
        text(&done.stdout).lines().map(|line| line.split_whitespace().collect()).collect();
    found.sort();
    // Each account comes once, so everything about it was on that loop.
    assert_eq!(found.len(), 9);
    for (account, row) in (0..9_i64).zip(&found) {
        let amounts = (0..5_000).filter(|i| i % 9 == account).map(|i| i - 7);
        let expected = [
            format!("account{account}"),
            amounts.clone().sum::<i64>().to_string(),
            "in".to_owned(),
            amounts.count().to_string(),
            "bookings,".to_owned(),
            "on".to_owned(),
            // Homes are given in turn.
            format!("loop-{}", account % 3),
        ];
        assert_eq!(*row, expected);
    }
}

#[test]
fn affinity_reports_what_is_no_booking() {
    let file = Lines::new("bad", "alice,5\nbob\nalice, 7 \n,,\n");
    let done = run("affinity", &[file.0.to_str().unwrap()]);
    let expected = "line 2: expected account,amount, got \"bob\"\n\
                    line 4: expected account,amount, got \",,\"\n";
    assert_eq!((done.status.code(), text(&done.stderr)), (Some(1), expected));
    assert!(text(&done.stdout).starts_with("alice              12 in      2 bookings, on loop-0"));

    let done = run("affinity", &["no/such/file"]);
    assert_eq!((done.status.code(), &*done.stdout), (Some(1), &b""[..]));
    assert!(text(&done.stderr).starts_with("error: cannot read no/such/file: "));
}

fn digest(line: &str) -> String {
    Sha256::digest(line).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The service while it runs.
struct Service {
    child: Child,
    output: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Service {
    fn start(arguments: &[&str]) -> Self {
        let mut child = program("tcp_service")
            .args(["--port", "0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let address = line.trim().rsplit(' ').next().unwrap().parse().expect(&line);
        Self { child, output, address }
    }

    fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        Client(BufReader::new(stream))
    }

    /// Ctrl-C; returns once no more connections are taken.
    #[cfg(unix)]
    fn interrupt(&mut self) -> String {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line
    }

    /// The exit code and what it printed besides, once it has ended by itself.
    #[cfg(unix)]
    fn end(mut self) -> (Option<i32>, String, String) {
        let (mut output, mut errors) = (String::new(), String::new());
        self.output.read_to_string(&mut output).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        (self.child.wait().unwrap().code(), output, errors)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn send(&self, content: &[u8]) {
        self.0.get_ref().write_all(content).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line
    }

    /// Sends a line, checks the answer, and returns which loop gave it.
    fn ask(&mut self, line: &str) -> String {
        self.send(format!("{line}\n").as_bytes());
        let answer = self.line();
        let (found, name) = answer.trim().split_once(' ').expect(&answer);
        assert_eq!(found, digest(line));
        name.to_owned()
    }
}

#[test]
fn the_service_answers_many_at_once_each_on_one_loop() {
    let service = Service::start(&["--loops", "3"]);
    let mut clients: Vec<_> = (0..60).map(|_| service.connect()).collect();
    let names: Vec<_> = clients.iter_mut().map(|client| client.ask("hello")).collect();
    for _ in 0..3 {
        for (client, name) in clients.iter_mut().zip(&names) {
            assert_eq!(client.ask("and again"), *name);
        }
    }
    assert!(names.iter().all(|name| ["loop-0", "loop-1", "loop-2"].contains(&name.as_str())));
}

#[test]
fn a_client_that_misbehaves_is_its_own_affair() {
    let service = Service::start(&["--loops", "1"]);
    let mut other = service.connect();
    other.ask("before");

    let mut endless = service.connect();
    endless.send(&[b'x'; 64 * 1024]);
    assert_eq!(endless.line(), "error: the line is too long\n");
    assert_eq!(endless.line(), "");

    let mut half = service.connect();
    half.send(b"no end of line");
    half.0.get_ref().shutdown(Shutdown::Write).unwrap();
    assert_eq!(half.line(), format!("{} loop-0\n", digest("no end of line")));
    assert_eq!(half.line(), "");

    // Its end is a reset: there is an answer that it has not read.
    let rude = service.connect();
    rude.send(b"a\n");
    rude.0.get_ref().peek(&mut [0]).unwrap();
    drop(rude);
    other.ask("after");
}

#[test]
fn the_service_says_that_its_port_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let done = run("tcp_service", &["--port", &port]);
    assert_eq!((done.status.code(), &*done.stdout), (Some(1), &b""[..]));
    let expected = format!("error: cannot listen on port {port}: ");
    assert!(text(&done.stderr).starts_with(&expected), "{}", text(&done.stderr));
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_the_connections_that_wait_for_their_clients() {
    let mut service = Service::start(&["--loops", "2", "--grace", "50"]);
    let mut clients: Vec<_> = (0..3).map(|_| service.connect()).collect();
    clients.iter_mut().for_each(|client| drop(client.ask("before")));
    assert_eq!(service.interrupt(), "no more connections; 3 are open\n");
    for client in &mut clients {
        assert_eq!(client.line(), "");
    }
    assert!(TcpStream::connect(service.address).is_err());
    let expected = (Some(0), "3 connections served, 0 cut off\n".to_owned(), String::new());
    assert_eq!(service.end(), expected);
}

#[cfg(unix)]
#[test]
fn ctrl_c_cuts_off_a_client_that_does_not_read_its_answers() {
    let mut service = Service::start(&["--loops", "2", "--grace", "0.2"]);
    let mut client = service.connect();
    client.ask("before");
    client.0.get_ref().set_nonblocking(true).unwrap();
    // As many questions as there is room for: their answers, much longer, find none.
    while client.0.get_ref().write(&[b'\n'; 64 * 1024]).is_ok() {}
    assert_eq!(service.interrupt(), "no more connections; 1 are open\n");
    let expected = (Some(1), "0 connections served, 1 cut off\n".to_owned(), String::new());
    assert_eq!(service.end(), expected);
}
