//! Tests of the transmission's headers.

use super::authority::{BODY, headers};
use crate::{HeaderProblem, TransmissionHeaders};

fn parse(pairs: &[(String, Vec<u8>)]) -> Result<TransmissionHeaders, (&'static str, HeaderProblem)> {
    TransmissionHeaders::parse(pairs.iter().map(|(name, value)| (name.as_str(), value.as_slice())))
        .map_err(|error| (error.header, error.problem))
}

fn good() -> Vec<(String, Vec<u8>)> {
    let headers = headers(BODY);
    let mut pairs = vec![("Content-Type".to_owned(), b"application/json".to_vec())];
    pairs.extend(headers.pairs().map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())));
    pairs
}

#[test]
fn names_may_be_in_any_case_and_values_are_kept_as_they_came() {
    let mut pairs = good();
    for (name, _) in &mut pairs {
        *name = name.to_uppercase();
    }
    assert_eq!(parse(&pairs), Ok(headers(BODY)));
}

#[test]
fn each_header_must_be_there_once_and_in_its_form() {
    let limits = [50, 100, 500, 500, 100];
    for (index, name) in TransmissionHeaders::NAMES.into_iter().enumerate() {
        let place = index + 1;
        let mut missing = good();
        missing.remove(place);
        assert_eq!(parse(&missing), Err((name, HeaderProblem::Missing)));

        let mut empty = good();
        empty[place].1.clear();
        assert_eq!(parse(&empty), Err((name, HeaderProblem::Missing)));

        let mut twice = good();
        twice.push((name.to_uppercase(), twice[place].1.clone()));
        assert_eq!(parse(&twice), Err((name, HeaderProblem::Repeated)));

        let mut longest = good();
        longest[place].1 = vec![b'a'; limits[index]];
        assert!(parse(&longest).is_ok());
        longest[place].1.push(b'a');
        assert_eq!(parse(&longest), Err((name, HeaderProblem::TooLong(limits[index]))));

        for bad in [&b"a b"[..], b"a\tb", b"a\0", b"a\xe2\x82\xac", b" a", b"a\r\nb"] {
            let mut odd = good();
            odd[place].1 = bad.to_vec();
            assert_eq!(parse(&odd), Err((name, HeaderProblem::BadCharacter)), "{bad:?}");
        }
    }
}

#[test]
fn the_signed_text_cannot_be_cut_elsewhere() {
    for place in [1, 2] {
        let mut pairs = good();
        pairs[place].1 = b"a|b".to_vec();
        assert!(matches!(parse(&pairs), Err((_, HeaderProblem::BadCharacter))));
    }
}
