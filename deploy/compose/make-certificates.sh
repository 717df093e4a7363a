#!/bin/sh
# Makes a certificate authority and the Notary server's certificate in ./certificates, good for a month.
set -eu
cd "$(dirname "$0")"
mkdir -p certificates
cd certificates
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
  -subj '/CN=Pinnace trial CA' -keyout ca.key -out ca.crt
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
  -subj '/CN=notary' -keyout notary.key -out notary.csr
printf 'subjectAltName=DNS:notary,DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' >notary.ext
openssl x509 -req -in notary.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile notary.ext -out notary.crt
# The containers do not run as you; the key is for this trial only.
chmod 0644 notary.key
rm -f notary.csr notary.ext ca.srl
