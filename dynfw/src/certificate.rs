//! Keys of CURVE in the files of pyzmq (`zmq.auth`): `NAME.key` holds the public key, `NAME.key_secret` both.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::zeromq::{Pair, Public};

/// The largest file that is read as a certificate, in bytes.
const LARGEST: usize = 64 * 1024;

/// The reason why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The path of the file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The file has another content than expected.
    #[error("{place}: {wrong}; a certificate is a file that pyzmq's zmq.auth.create_certificates makes")]
    Content {
        /// The file or address that it came from.
        place: String,
        /// The problem of the file.
        wrong: &'static str,
    },
}

/// The public key of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(pub(crate) Public);

impl PublicKey {
    /// Reads a certificate file.
    ///
    /// # Errors
    /// When it cannot be read or has no public key.
    pub fn read(path: &Path) -> Result<Self, CertificateError> {
        Self::parse(&read(path)?, &path.display().to_string())
    }

    /// Parses the text of a certificate file that came from `place`.
    ///
    /// # Errors
    /// When it has no public key.
    pub fn parse(text: &str, place: &str) -> Result<Self, CertificateError> {
        let wrong = |wrong| CertificateError::Content { place: place.to_owned(), wrong };
        let key = value(text, "public-key").ok_or_else(|| wrong("it has no line public-key = \"…\""))?;
        Public::from_z85(key).map(Self).ok_or_else(|| wrong("its public key is not 40 characters of Z85"))
    }

    /// The key as 40 characters of Z85.
    #[must_use]
    pub fn to_z85(&self) -> String {
        self.0.to_z85()
    }
}

/// A pair of keys.
#[derive(Clone, Debug)]
pub struct Certificate(pub(crate) Pair);

impl Certificate {
    /// A new pair, from the system's randomness.
    #[must_use]
    pub fn generate() -> Self {
        Self(Pair::generate())
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.public())
    }

    /// Reads a secret certificate file.
    ///
    /// # Errors
    /// When it cannot be read, has no secret key, or its keys do not belong together.
    pub fn read(path: &Path) -> Result<Self, CertificateError> {
        let text = read(path)?;
        let place = path.display().to_string();
        let public = PublicKey::parse(&text, &place)?.0;
        let wrong = |wrong| CertificateError::Content { place: place.clone(), wrong };
        let secret = value(&text, "secret-key").ok_or_else(|| wrong("it has no line secret-key = \"…\""))?;
        let pair = Pair::from_secret_z85(secret).ok_or_else(|| wrong("its secret key is not 40 characters of Z85"))?;
        if pair.public() != public {
            return Err(wrong("its keys do not belong together"));
        }
        Ok(Self(pair))
    }

    /// Returns the pair kept in a directory as `NAME.key_secret`; made at the first time, with `NAME.key` beside it for users of the public
    /// key. Only the owner may read the secret one. Of two processes at the same time, the second takes the first one's pair.
    ///
    /// # Errors
    /// When the files cannot be read or written, or are no certificates.
    pub fn load_or_make(directory: &Path, name: &str) -> Result<Self, CertificateError> {
        let path = directory.join(format!("{name}.key_secret"));
        let certificate = match Self::read(&path) {
            Err(CertificateError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                let certificate = Self::generate();
                match create(&path, &certificate.secret_text(), 0o600) {
                    Ok(()) => certificate,
                    Err(source) if source.kind() == io::ErrorKind::AlreadyExists => Self::read(&path)?,
                    Err(source) => return Err(CertificateError::File { path, source }),
                }
            }
            read => read?,
        };
        let path = directory.join(format!("{name}.key"));
        match create(&path, &certificate.public_text(), 0o644) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                Err(CertificateError::File { path, source })
            }
            Err(_) if PublicKey::read(&path)? != certificate.public() => Err(CertificateError::Content {
                place: path.display().to_string(),
                wrong: "it is not the public key of the secret file beside it",
            }),
            _ => Ok(certificate),
        }
    }

    /// The text of the file that is given to clients.
    #[must_use]
    pub fn public_text(&self) -> String {
        format!(
            "#   ZeroMQ CURVE public certificate, made by sview\n#   Give it to those who connect.\n\n{}",
            self.body(false)
        )
    }

    fn secret_text(&self) -> String {
        format!(
            "#   ZeroMQ CURVE secret certificate, made by sview\n#   Give it to nobody, and keep its permissions.\n\n{}",
            self.body(true)
        )
    }

    fn body(&self, secret: bool) -> String {
        let mut text = format!("metadata\ncurve\n    public-key = \"{}\"\n", self.0.public().to_z85());
        if secret {
            let _ = writeln!(text, "    secret-key = \"{}\"", self.0.secret_to_z85()); // to a string, it cannot fail
        }
        text
    }
}

fn read(path: &Path) -> Result<String, CertificateError> {
    let bytes = fs::read(path).map_err(|source| CertificateError::File { path: path.to_owned(), source })?;
    let wrong = |wrong| CertificateError::Content { place: path.display().to_string(), wrong };
    if bytes.len() > LARGEST {
        return Err(wrong("it is too large"));
    }
    String::from_utf8(bytes).map_err(|_| wrong("it is no text"))
}

/// The value of a key, as pyzmq finds it: in the first line that begins with the key's name.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let line = text.lines().map(str::trim).find(|line| line.starts_with(key))?;
    Some(line.split_once('=')?.1.trim_matches([' ', '\t', '\'', '"']))
}

/// Creates a file whole or not at all; fails when it is there already. It is written under a random name that was not there before,
/// so no link that somebody put into the directory leads the writing elsewhere.
fn create(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".new-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    let mut file = builder.tempfile_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    // Unlike a plain rename this never replaces what another process made meanwhile.
    file.persist_noclobber(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_made_once_and_its_secret_is_the_owners() {
        let directory = tempfile::tempdir().unwrap();
        let made = Certificate::load_or_make(directory.path(), "client").unwrap();
        let again = Certificate::load_or_make(directory.path(), "client").unwrap();
        assert_eq!((made.public(), made.0.secret_to_z85()), (again.public(), again.0.secret_to_z85()));
        assert_eq!(PublicKey::read(&directory.path().join("client.key")).unwrap(), made.public());
        let mut names: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["client.key", "client.key_secret"], "nothing unfinished is left");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |name: &str| fs::metadata(directory.path().join(name)).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode("client.key_secret"), 0o600);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_planted_link_leads_no_writing_elsewhere() {
        let directory = tempfile::tempdir().unwrap();
        let victim = directory.path().join("victim");
        fs::write(&victim, "mine").unwrap();
        for name in ["client.key_secret", "client.key"] {
            let unfinished = directory.path().join(format!("{name}.{}.new", std::process::id()));
            std::os::unix::fs::symlink(&victim, unfinished).unwrap();
        }
        Certificate::load_or_make(directory.path(), "client").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
    }

    #[test]
    fn what_is_no_certificate_says_so() {
        let said = |text: &str| PublicKey::parse(text, "here").unwrap_err().to_string();
        assert!(said("<html>404</html>").contains("here: it has no line public-key"));
        assert!(said("public-key = \"short\"").contains("40 characters of Z85"));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.key_secret");
        let (one, other) = (Certificate::generate(), Certificate::generate());
        fs::write(&path, one.secret_text().replace(&one.public().to_z85(), &other.public().to_z85())).unwrap();
        assert!(Certificate::read(&path).unwrap_err().to_string().contains("do not belong together"));
        fs::write(&path, one.public_text()).unwrap();
        assert!(Certificate::read(&path).unwrap_err().to_string().contains("no line secret-key"));
    }
}
