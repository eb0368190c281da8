//! A file that keeps the rows of an organisation between runs.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::{organisation::Organisation, transport::server::Emulator};

/// A state file. While it is open, no other emulator can use it.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    /// The version of the organisation in the file; `None` if there is no file yet.
    saved: Option<u64>,
    /// Locked until this is dropped. A file of its own, because the state is replaced by renaming.
    _lock: File,
}

impl StateFile {
    /// Opens a file, and replaces the rows by those in it, if it exists. The definitions of seeds stay.
    ///
    /// # Errors
    /// With a message that names the file: if another emulator uses it, if it cannot be read or created, and if it is not a state or
    /// has a table that no seed declares.
    pub fn open(path: &Path, organisation: &mut Organisation) -> Result<Self, String> {
        let at = |problem: String| format!("{}: {problem}", path.display());
        let lock = File::create(with_suffix(path, "lock")).map_err(|error| at(error.to_string()))?;
        lock.try_lock().map_err(|error| at(format!("another emulator uses it, or it cannot be locked: {error}")))?;
        let saved = match fs::read(path) {
            Ok(state) => {
                organisation.restore_state(&state).map_err(at)?;
                Some(organisation.last_version())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(at(error.to_string())),
        };
        Ok(Self { path: path.to_owned(), saved, _lock: lock })
    }

    /// Writes the rows, if they changed since the last time. The file is replaced as a whole, so that a crash leaves the old one.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&mut self, emulator: &Emulator) -> io::Result<()> {
        // A copy shares the rows, so that requests wait only for a moment.
        let organisation = emulator.with_organisation(|organisation| organisation.clone());
        let version = organisation.last_version();
        if self.saved == Some(version) {
            return Ok(());
        }
        let next = with_suffix(&self.path, "new");
        let mut file = File::create(&next)?;
        file.write_all(&organisation.to_state()?)?;
        file.sync_all()?;
        fs::rename(&next, &self.path)?;
        self.saved = Some(version);
        Ok(())
    }
}

impl Drop for StateFile {
    fn drop(&mut self) {
        // A file that stays is locked again by the next run.
        drop(fs::remove_file(with_suffix(&self.path, "lock")));
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}
