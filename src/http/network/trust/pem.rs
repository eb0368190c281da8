//! PEM, block by block: what one block holds, or that it is damaged, says nothing of the others.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// One block.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// The DER of what is labelled as a certificate.
    Certificate(Vec<u8>),
    /// A private key of any kind. It is not decoded.
    PrivateKey,
    /// `TRUSTED CERTIFICATE`, with conditions that only OpenSSL understands. Node skips it.
    Conditional,
    /// Something else, such as a request or a revocation list.
    Other,
    /// It does not end, ends as something else, or is not base64.
    Malformed,
}

/// A UTF-8 byte order mark, also in the middle: files are joined with `cat`.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// All blocks, in their order. Text between them, line ends, indentation and byte order marks do not matter.
pub(super) fn blocks(text: &[u8]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut begun: Option<(&[u8], Vec<u8>)> = None;
    for line in text.split(|byte| matches!(byte, b'\n' | b'\r')) {
        let line = line.trim_ascii();
        let line = line.strip_prefix(MARK).unwrap_or(line);
        if let Some(label) = label(line, b"-----BEGIN ") {
            // The one before was cut off.
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
    fn a_block_is_read_whatever_is_around_it() {
        let good = "-----BEGIN CERTIFICATE-----\nAA\nEC\n-----END CERTIFICATE-----\n";
        let certificate = || Block::Certificate(vec![0, 1, 2]);
        for (text, blocks) in [
            (String::new(), vec![]),
            ("no PEM at all".into(), vec![]),
            (good.into(), vec![certificate()]),
            (good.trim_end().into(), vec![certificate()]),
            (good.replace('\n', "\r\n"), vec![certificate()]),
            (good.replace('\n', "\r"), vec![certificate()]),
            (good.replace('\n', " \t\n    "), vec![certificate()]),
            (good.replace("CERTIFICATE", "X509 CERTIFICATE"), vec![certificate()]),
            (format!("\u{feff}{good}{good}"), vec![certificate(), certificate()]),
            (format!("{good}\u{feff}{good}"), vec![certificate(), certificate()]),
            (format!("# theirs\n{good}# ours\n{good}"), vec![certificate(), certificate()]),
            (good.replace("AA", "A!"), vec![Block::Malformed]),
            (good.replace("-----END", "-----EN"), vec![Block::Malformed]),
            (good.replace("END CERTIFICATE", "END CRL"), vec![Block::Malformed]),
            (format!("-----BEGIN CERTIFICATE-----\nAA\n{good}"), vec![Block::Malformed, certificate()]),
            (format!("{good}-----BEGIN CERTIFICATE-----\nAAEC"), vec![certificate(), Block::Malformed]),
            (good.replace("CERTIFICATE", "TRUSTED CERTIFICATE"), vec![Block::Conditional]),
            (good.replace("CERTIFICATE", "X509 CRL"), vec![Block::Other]),
            (good.replace("CERTIFICATE", "EC PRIVATE KEY"), vec![Block::PrivateKey]),
            (good.replace("CERTIFICATE", "ENCRYPTED PRIVATE KEY"), vec![Block::PrivateKey]),
        ] {
            assert_eq!(super::blocks(text.as_bytes()), blocks, "{text:?}");
        }
    }
}
