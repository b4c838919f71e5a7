//! How the program is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |name| std::env::var(name).unwrap_or_default();
    if target("CARGO_CFG_TARGET_OS") == "linux" && target("CARGO_CFG_TARGET_ARCH") == "x86_64" {
        // A program at a fixed address has no 250,000 relocations to read and to write at every start: it starts
        // faster and stays 10 MB smaller.
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
    // A DuckDB that is not built in is looked for where it was linked.
    println!("cargo:rerun-if-env-changed=DUCKDB_LIB_DIR");
    let directory = target("DUCKDB_LIB_DIR");
    if std::env::var_os("CARGO_FEATURE_BUNDLED").is_none()
        && !directory.is_empty()
        && target("CARGO_CFG_TARGET_FAMILY") == "unix"
    {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{directory}");
    }
}
