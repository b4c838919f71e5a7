//! A small file system of its own, and files that fill it.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A mounted file system; unmounted when it is dropped.
pub struct SmallDisk {
    directory: TempDir,
}

impl SmallDisk {
    /// An ext4 file system in a file, or else one in memory. `None`, and a word about it, where nothing can be mounted.
    pub fn mount(mebibytes: u64) -> Option<Self> {
        let directory = TempDir::new().unwrap();
        let mounted = directory.path().join("mounted");
        std::fs::create_dir(&mounted).unwrap();
        let image = directory.path().join("image");
        File::create(&image).unwrap().set_len(mebibytes << 20).unwrap();
        let size = format!("size={mebibytes}m");
        let done = run("mkfs.ext4", &["-q", "-m", "0", text(&image)])
            && run("mount", &["-o", "loop", text(&image), text(&mounted)])
            || run("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", text(&mounted)]);
        if !done {
            println!("SKIPPED: no file system can be mounted here");
        }
        done.then_some(Self { directory })
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path().join("mounted")
    }

    pub fn database(&self) -> PathBuf {
        self.path().join("observability.duckdb")
    }

    /// Lets nobody write any more.
    pub fn make_read_only(&self) {
        assert!(run("mount", &["-o", "remount,ro", text(&self.path())]), "a file system can be made read-only");
    }

    /// Bytes that are free.
    pub fn free(&self) -> u64 {
        let disk = rustix::fs::statvfs(self.path()).unwrap();
        disk.f_bavail * disk.f_frsize
    }

    /// Takes all space but `left` bytes, until the file is removed.
    pub fn fill(&self, left: u64) -> Ballast {
        let path = self.path().join("ballast");
        let mut file = File::create(&path).unwrap();
        let zeros = [0; 1 << 12];
        while self.free() > left + zeros.len() as u64 && file.write_all(&zeros).is_ok() {}
        // What could not be written is what was to be found out.
        let _full = file.sync_all();
        if left == 0 {
            while file.write_all(&zeros).is_ok() {}
            let _full = file.sync_all();
        }
        Ballast { path }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let path = self.path();
        // A process that was killed may hold it for a moment longer.
        if !run("umount", &[text(&path)]) {
            run("umount", &["-l", text(&path)]);
        }
    }
}

/// A file that takes up space.
pub struct Ballast {
    path: PathBuf,
}

impl Ballast {
    pub fn remove(self) {
        std::fs::remove_file(self.path).unwrap();
    }
}

fn run(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
