#!/bin/sh
# speech.txt in, speech.wav out: every line spoken, with a pause around it, as 16 kHz mono 16-bit PCM.
# Needs espeak-ng and sox: apt-get install espeak-ng sox
set -eu
cd "$(dirname "$0")"
parts=$(mktemp -d)
trap 'rm -rf "$parts"' EXIT
while read -r line; do
    n=$((${n:-100} + 1))
    espeak-ng -v en-us+f2 -s 160 -w "$parts/$n.espeak" "$line"
    # A slower tape lowers pitch and resonances: the recogniser knows such voices better.
    sox -D -t wav "$parts/$n.espeak" -r 16000 -c 1 -b 16 "$parts/$n.wav" speed 0.95 pad 0.4 0.4
done <speech.txt
sox "$parts"/*.wav speech.wav
