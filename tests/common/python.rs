//! The Python interpreter that has the data libraries.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs `tests/python/<script>` with `arguments`, which must succeed; false when there is no interpreter to run it with.
///
/// `OBSERVABILITY_PYTHON` names the interpreter; the test command sets it.
pub fn run(script: &str, arguments: &[&str]) -> bool {
    let Some((interpreter, path)) = self::script(script) else { return false };
    let output = Command::new(interpreter).arg(path).args(arguments).output().expect("OBSERVABILITY_PYTHON runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script} failed\n{out}\n{err}");
    print!("{out}");
    true
}

/// The interpreter and the path of `tests/python/<script>`; says that the test is skipped when there is none. The build
/// server, where `CI` is set, skips none.
pub fn script(script: &str) -> Option<(OsString, PathBuf)> {
    let Some(interpreter) = interpreter(std::env::var_os("OBSERVABILITY_PYTHON"), std::env::var_os("CI")) else {
        println!("SKIPPED: set OBSERVABILITY_PYTHON to a Python with tests/python/requirements.txt to run {script}");
        return None;
    };
    Some((interpreter, Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(script)))
}

fn interpreter(named: Option<OsString>, build_server: Option<OsString>) -> Option<OsString> {
    let is_set = |variable: &OsString| !variable.is_empty();
    let named = named.filter(is_set);
    assert!(
        named.is_some() || !build_server.is_some_and(|variable| is_set(&variable)),
        "OBSERVABILITY_PYTHON is not set"
    );
    named
}

#[test]
#[should_panic(expected = "OBSERVABILITY_PYTHON is not set")]
fn on_the_build_server_python_is_not_left_out() {
    interpreter(Some(OsString::new()), Some("true".into()));
}
