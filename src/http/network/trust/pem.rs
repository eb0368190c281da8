//! Reads PEM block by block, so that an invalid block does not affect the others.

use base64::{Engine as _, engine::general_purpose::STANDARD};

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// DER of a block that is labelled as a certificate.
    Certificate(Vec<u8>),
    /// A private key of any kind, not decoded.
    PrivateKey,
    /// `TRUSTED CERTIFICATE`, with conditions that only OpenSSL understands. Node skips it.
    Conditional,
    /// Something else, such as a request or a revocation list.
    Other,
    /// It has no end, ends with another label, or is not base64.
    Malformed,
}

/// UTF-8 byte order mark. It also occurs in the middle, in files that were joined with `cat`.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// All blocks, in order. Text between them, line ends, indentation and byte order marks are ignored.
pub(super) fn blocks(text: &[u8]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut begun: Option<(&[u8], Vec<u8>)> = None;
    for line in text.split(|byte| matches!(byte, b'\n' | b'\r')) {
        let line = line.trim_ascii();
        let line = line.strip_prefix(MARK).unwrap_or(line);
        if let Some(label) = label(line, b"-----BEGIN ") {
            // The previous block was cut off.
            blocks.extend(begun.replace((label, Vec::new())).map(|_| Block::Malformed));
        } else if let Some(end) = label(line, b"-----END ") {
            blocks.extend(
                begun.take().map(|(label, body)| if label == end { block(label, &body) } else { Block::Malformed }),
            );
        } else if let Some((_, body)) = &mut begun {
            body.extend(line.iter().filter(|byte| !byte.is_ascii_whitespace()));
        }
    }
    blocks.extend(begun.map(|_| Block::Malformed));
    blocks
}

fn label<'a>(line: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    line.strip_prefix(prefix)?.strip_suffix(b"-----")
}

fn block(label: &[u8], body: &[u8]) -> Block {
    match label {
        b"CERTIFICATE" | b"X509 CERTIFICATE" => STANDARD.decode(body).map_or(Block::Malformed, Block::Certificate),
        b"TRUSTED CERTIFICATE" => Block::Conditional,
        key if key.ends_with(b"PRIVATE KEY") => Block::PrivateKey,
        _ => Block::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_read_whatever_surrounds_them() {
        let valid = "-----BEGIN CERTIFICATE-----\nAA\nEC\n-----END CERTIFICATE-----\n";
        let certificate = || Block::Certificate(vec![0, 1, 2]);
        for (text, blocks) in [
            (String::new(), vec![]),
            ("no PEM at all".into(), vec![]),
            (valid.into(), vec![certificate()]),
            (valid.trim_end().into(), vec![certificate()]),
            (valid.replace('\n', "\r\n"), vec![certificate()]),
            (valid.replace('\n', "\r"), vec![certificate()]),
            (valid.replace('\n', " \t\n    "), vec![certificate()]),
            (valid.replace("CERTIFICATE", "X509 CERTIFICATE"), vec![certificate()]),
            (format!("\u{feff}{valid}{valid}"), vec![certificate(), certificate()]),
            (format!("{valid}\u{feff}{valid}"), vec![certificate(), certificate()]),
            (format!("# theirs\n{valid}# ours\n{valid}"), vec![certificate(), certificate()]),
            (valid.replace("AA", "A!"), vec![Block::Malformed]),
            (valid.replace("-----END", "-----EN"), vec![Block::Malformed]),
            (valid.replace("END CERTIFICATE", "END CRL"), vec![Block::Malformed]),
            (format!("-----BEGIN CERTIFICATE-----\nAA\n{valid}"), vec![Block::Malformed, certificate()]),
            (format!("{valid}-----BEGIN CERTIFICATE-----\nAAEC"), vec![certificate(), Block::Malformed]),
            (valid.replace("CERTIFICATE", "TRUSTED CERTIFICATE"), vec![Block::Conditional]),
            (valid.replace("CERTIFICATE", "X509 CRL"), vec![Block::Other]),
            (valid.replace("CERTIFICATE", "EC PRIVATE KEY"), vec![Block::PrivateKey]),
            (valid.replace("CERTIFICATE", "ENCRYPTED PRIVATE KEY"), vec![Block::PrivateKey]),
        ] {
            assert_eq!(super::blocks(text.as_bytes()), blocks, "{text:?}");
        }
    }
}
