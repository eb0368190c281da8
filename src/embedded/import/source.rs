//! Source of a page: a file or a string. Reads it completely before anything is written.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use super::{
    decoder::Decoder,
    entity_page::{self, EntityPage, invalid_page},
};
use crate::{
    embedded::error::{NO_FILE_LEFT, is_exhausted},
    error::{Code, LinkError},
};

#[derive(Debug)]
pub enum Source {
    Path(PathBuf),
    Text(String),
}

/// Reads a whole page, checks every row and stages them.
pub(in crate::embedded) fn read(source: Source, is_cancelled: &dyn Fn() -> bool) -> Result<EntityPage, LinkError> {
    match source {
        Source::Path(path) => read_file(&path, is_cancelled),
        Source::Text(text) => {
            let origin = "the page";
            entity_page::read(Decoder::new(text.as_bytes(), is_cancelled, &unreadable(origin)), origin)
        }
    }
}

fn read_file(path: &Path, is_cancelled: &dyn Fn() -> bool) -> Result<EntityPage, LinkError> {
    let origin = format!("'{}'", path.display());
    let unreadable = unreadable(&origin);
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let version = || file.metadata().and_then(|file| Ok(file.is_file().then_some((file.len(), file.modified()?))));
    let before = version().map_err(|error| unreadable(&error))?;
    let page = entity_page::read(Decoder::new(&file, is_cancelled, &unreadable), &origin)?;
    if version().map_err(|error| unreadable(&error))? != before {
        let why = format!("{origin} changed while it was being read; nothing was imported");
        return Err(invalid_page(why).hint("Import it again when it is complete."));
    }
    Ok(page)
}

fn unreadable(origin: &str) -> impl Fn(&io::Error) -> LinkError {
    move |error| {
        if is_exhausted(error) {
            return LinkError::new(Code::Store, format!("{origin} cannot be read: {error}."))
                .hint(NO_FILE_LEFT)
                .with(|details| details.retryable = Some(true));
        }
        invalid_page(format!("{origin} cannot be read: {error}"))
            .hint("Name a JSON file that holds one page of a Web API GET.")
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, fs};

    use super::*;

    #[test]
    fn a_file_that_changes_while_it_is_read_is_rejected() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.json");
        let page = r#"{"@odata.context":"$metadata#accounts","value":[]}"#;
        for (while_reading, expected) in [
            (page.to_owned(), None),
            (format!("{page} "), Some("changed while it was being read")),
            (String::new(), Some("is not the response")),
        ] {
            fs::write(&path, page).unwrap();
            let is_first = Cell::new(true);
            // Called before each chunk is read.
            let is_cancelled = || {
                if is_first.replace(false) && while_reading != page {
                    fs::write(&path, &while_reading).unwrap();
                }
                false
            };
            let error = read_file(&path, &is_cancelled).err().map(|error| error.message().to_owned());
            assert_eq!(error.is_some(), expected.is_some(), "{error:?}");
            assert!(error.unwrap_or_default().contains(expected.unwrap_or_default()));
        }
    }
}
