//! What a bundle says of itself.

/// The text of `README.txt`.
pub(super) fn text(shop: &str, size: u64, origin: &str) -> String {
    format!(
        "\
The log of {shop}, as of its checkpoint of {size} events ({origin}).

Run these in this folder, in a POSIX shell. 1 to 3 need no program of ours, and nothing is written here.

1. Nothing was changed since this folder was written:

   sha256sum --check --quiet manifest.sha256

2. The checkpoint is signed with the log's key (OpenSSL 3; compare log.vkey with the one you were given before):

   T=$(mktemp -d)
   sed -n '1,/^$/p' log/checkpoint | sed '$d' > \"$T/text\"
   sed -n 's/^\u{2014} [^ ]* //p' log/checkpoint | head -n 1 | base64 -d | tail -c 64 > \"$T/signature\"
   openssl pkeyutl -verify -pubin -inkey log.pub.pem -rawin -in \"$T/text\" -sigfile \"$T/signature\"
   rm -r \"$T\"

3. Every entry is in the tree that was signed (Go 1.25; what counts is the line \"Successfully fsck'd log\", not the exit code):

   timeout 600 go run github.com/transparency-dev/tessera/cmd/fsck@v1.0.4 \\
       --storage_url=\"file://$PWD/log/\" --public_key=log.vkey --ui=false -N=64

4. Entries, evidence, PayPal's signatures, decisions and read models agree, and there is no file that is not in the manifest
   (ROOTS: a folder with the roots of PayPal's chains, beside this one):

   counterfoil verify --bundle . --roots ../ROOTS
   counterfoil replay --bundle .

Where there is a checkpoints/<size>.tsr, it says when the checkpoint was there at the latest (RFC 3161):

   openssl ts -verify -data checkpoints/SIZE.note -in checkpoints/SIZE.tsr -CAfile TSA-CA.pem

export/events.jsonl has the entries from the range's first to the end, the other export/*.jsonl the read models as of the
end; the SHA-256 of those is what `projection.digest` in the log records. bodies/ has the evidence of the range, sealed; keys.json the keys that were
released for it. What was erased has no key, and its entry stands.
"
    )
}
