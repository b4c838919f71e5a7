//! The Python interpreter that has the data libraries.

use std::path::Path;
use std::process::Command;

/// Runs `tests/python/<script>` with `arguments`; false when there is no interpreter to run it with.
///
/// `OBSERVABILITY_PYTHON` names the interpreter; the test command sets it.
pub fn run(script: &str, arguments: &[&str]) -> bool {
    let Some(interpreter) = std::env::var_os("OBSERVABILITY_PYTHON") else {
        println!("SKIPPED: set OBSERVABILITY_PYTHON to a Python with tests/python/requirements.txt to run {script}");
        return false;
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(script);
    let output = Command::new(interpreter).arg(path).args(arguments).output().expect("OBSERVABILITY_PYTHON runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script} failed\n{out}\n{err}");
    print!("{out}");
    true
}
