#!/bin/sh
# Check one fragment of a segment with nothing but openssl and coreutils.
#
#     sh fragment_by_hand.sh SEGMENT.mp4 NUMBER [ROOT.pem]
#
# NUMBER 0 is HEAD, 1 the first fragment. Exit code 0 if everything holds.
set -eu
FILE=$1
NUMBER=$2
ROOT=${3:-}
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

number_at() { od -An -t"u$2" --endian=big -j "$1" -N "$2" "$FILE" | tr -d ' '; }
cut_out() { tail -c "+$(($1 + 1))" "$FILE" | head -c "$2"; }
field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^\",]*\).*/\1/p" "$2"; }
fail() { echo "FAILED: $*" >&2; exit 1; }

# Boxes: a 32-bit size (1: a 64-bit size follows the kind), then four letters.
# Signature boxes are those of kind uuid; number n is the n-th of them, counted from 0.
AT=0
COUNT=-1
BEFORE=
while :; do
    SIZE=$(number_at "$AT" 4)
    [ -n "$SIZE" ] || fail "the file ends before record $NUMBER"
    [ "$SIZE" -ne 1 ] || SIZE=$(number_at $((AT + 8)) 8)
    [ "$SIZE" -ge 8 ] || fail "no box at byte $AT"
    if [ "$(cut_out $((AT + 4)) 4)" = uuid ]; then
        COUNT=$((COUNT + 1))
        [ "$COUNT" -ne 0 ] || HEAD=$AT
        [ "$COUNT" -ne "$NUMBER" ] || break
        BEFORE=$AT
        BEFORE_SIZE=$SIZE
    fi
    AT=$((AT + SIZE))
done

# A signature box: size, "uuid", 16 bytes of UUID, 4 of version and flags, then
# u32 length, record, u16 length, signature; in HEAD also u8 count, then u32 length, certificate.
take_apart() {
    LENGTH=$(number_at $(($1 + 28)) 4)
    cut_out $(($1 + 32)) "$LENGTH" >"$WORK/$2.json"
    SIGNATURE=$(($1 + 32 + LENGTH))
    cut_out $((SIGNATURE + 2)) "$(number_at "$SIGNATURE" 2)" >"$WORK/$2.sig"
    BEHIND=$((SIGNATURE + 2 + $(number_at "$SIGNATURE" 2)))
}
take_apart "$HEAD" head
LEAF=$(number_at $((BEHIND + 1)) 4)
cut_out $((BEHIND + 5)) "$LEAF" >"$WORK/leaf.der"
NEXT=$((BEHIND + 5 + LEAF))
cut_out $((NEXT + 4)) "$(number_at "$NEXT" 4)" >"$WORK/authority.der"
take_apart "$AT" record

# 1. The signature over the record, by the key in the leaf certificate that HEAD carries.
openssl x509 -inform DER -in "$WORK/leaf.der" -pubkey -noout >"$WORK/leaf.pub"
openssl dgst -sha256 -verify "$WORK/leaf.pub" -signature "$WORK/head.sig" "$WORK/head.json"
openssl dgst -sha256 -verify "$WORK/leaf.pub" -signature "$WORK/record.sig" "$WORK/record.json"

# 2. The bytes that the record covers.
SUM=$(cut_out "$(field off "$WORK/record.json")" "$(field len "$WORK/record.json")" | sha256sum)
[ "${SUM%% *}" = "$(field sha256 "$WORK/record.json")" ] || fail "the bytes are not those signed"
echo "SHA-256 of the bytes: OK"

# 3. The chain: the content of the signature box before, record and signature.
if [ -n "$BEFORE" ]; then
    SUM=$(cut_out $((BEFORE + 24)) $((BEFORE_SIZE - 24)) | sha256sum)
    [ "${SUM%% *}" = "$(field prev "$WORK/record.json")" ] || fail "does not follow the box before"
    echo "Chain to the record before: OK"
fi

# 4. The certificate: named in the signed HEAD, issued under the force's root, valid when it signed.
SUM=$(sha256sum <"$WORK/leaf.der")
[ "${SUM%% *}" = "$(field x5t "$WORK/head.json")" ] || fail "HEAD names another certificate"
if [ -n "$ROOT" ]; then
    WHEN=$(date -u -d "$(sed -n 's/.*"utc":"\([^"]*\)".*/\1/p' "$WORK/head.json")" +%s)
    for NAME in leaf authority; do
        openssl x509 -inform DER -in "$WORK/$NAME.der" -out "$WORK/$NAME.pem"
    done
    openssl verify -attime "$WHEN" -CAfile "$ROOT" -untrusted "$WORK/authority.pem" \
        "$WORK/leaf.pem" >"$WORK/said" 2>&1 || fail "certificate: $(cat "$WORK/said")"
    echo "Certificate: OK"
fi
cat "$WORK/record.json"
echo
