//! A time stamp: what is asked, and what is made of the answer (RFC 3161).
//!
//! That the authority signed is not checked here: whose signature counts is for those to say who rely on it, with
//! `openssl ts -verify` or anything else. What is checked is that it answers this question.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use chrono::{DateTime, Utc};
use cmpv2::status::PkiStatus;
use cms::cert::x509::spki::AlgorithmIdentifier;
use cms::signed_data::SignedData;
use der::asn1::{Int, OctetString};
use der::oid::ObjectIdentifier;
use der::{Decode, Encode};
use x509_tsp::{MessageImprint, TimeStampReq, TimeStampResp, TspVersion, TstInfo};

use crate::Error;

const ID_SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const ID_SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const ID_TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");

/// A question: when was this there?
#[derive(Clone, Debug)]
pub struct Request {
    imprint: MessageImprint,
    nonce: Int,
    der: Vec<u8>,
}

/// What an authority answered to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// When it was there, by the authority's clock.
    pub at: DateTime<Utc>,
    /// The whole answer, DER.
    pub response: Vec<u8>,
}

impl Request {
    /// About these bytes, of which only the SHA-256 is told.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn about(bytes: &[u8]) -> Result<Self, Error> {
        let odd = |error: der::Error| Error::Unbelievable(error.to_string());
        let mut nonce = [0; 16];
        rand::fill(&mut nonce).map_err(|_| Error::Unreachable("the system has no randomness".to_owned()))?;
        // Positive, and as short as it can be: DER knows no other form.
        nonce[0] = nonce[0] & 0x7f | 0x40;
        let imprint = MessageImprint {
            hash_algorithm: AlgorithmIdentifier { oid: ID_SHA_256, parameters: None },
            hashed_message: OctetString::new(digest(&SHA256, bytes).as_ref()).map_err(odd)?,
        };
        let nonce = Int::new(&nonce).map_err(odd)?;
        let request = TimeStampReq {
            version: TspVersion::V1,
            message_imprint: imprint.clone(),
            req_policy: None,
            nonce: Some(nonce.clone()),
            // Whoever checks it years later needs no other file than the authority's root.
            cert_req: true,
            extensions: None,
        };
        Ok(Self { imprint, nonce, der: request.to_der().map_err(odd)? })
    }

    /// As it is sent: `application/timestamp-query`.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Reads the answer: that it was granted, of these bytes, to this question.
    ///
    /// # Errors
    /// [`Error::Unbelievable`], with what is wrong.
    pub fn read(&self, response: Vec<u8>) -> Result<Stamped, Error> {
        let odd = |what: &str| Error::Unbelievable(what.to_owned());
        let at = {
            let unreadable = |_: der::Error| odd("it is no time stamp response");
            let read = TimeStampResp::from_der(&response).map_err(unreadable)?;
            if !matches!(read.status.status, PkiStatus::Accepted | PkiStatus::GrantedWithMods) {
                return Err(Error::Unbelievable(format!("it was not granted: {:?}", read.status.status)));
            }
            let token = read.time_stamp_token.ok_or_else(|| odd("it has no token"))?;
            if token.content_type != ID_SIGNED_DATA {
                return Err(odd("its token is not signed"));
            }
            let signed: SignedData = token.content.decode_as().map_err(unreadable)?;
            let content = signed.encap_content_info;
            let stamp = content.econtent.filter(|_| content.econtent_type == ID_TST_INFO);
            let stamp = stamp.ok_or_else(|| odd("its token is of something else"))?;
            let stamp: OctetString = stamp.decode_as().map_err(unreadable)?;
            let stamp = TstInfo::from_der(stamp.as_bytes()).map_err(unreadable)?;
            let is_same = stamp.message_imprint.hash_algorithm.oid == self.imprint.hash_algorithm.oid
                && stamp.message_imprint.hashed_message == self.imprint.hashed_message;
            if !is_same {
                return Err(odd("it is of other bytes"));
            }
            if stamp.nonce.as_ref() != Some(&self.nonce) {
                return Err(odd("it answers another question"));
            }
            DateTime::from(stamp.gen_time.to_system_time())
        };
        Ok(Stamped { at, response })
    }
}
