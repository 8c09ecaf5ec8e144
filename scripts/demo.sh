#!/bin/sh
# Shows the main job: index photos, find them by words and by pictures, find captions for them.
#   demo.sh SIGHTLINE [PHOTOS]
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
sightline=$1
photos=${2:-$root/tests/data/photos}
page=demo/gallery.html

cd "$root"
mkdir -p demo
[ -d "$photos" ] || {
    echo "error: $photos: no such folder" >&2
    exit 2
}

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$(printf '\033[1m') plain=$(printf '\033[0m'); else bold='' plain=''; fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
# Prints a command as typed.
show() {
    shown='$ sightline'
    for word in "$@"; do
        case $word in
        *[!a-zA-Z0-9_./-]*) shown="$shown \"$word\"" ;;
        *) shown="$shown $word" ;;
        esac
    done
    printf '\n%s%s%s\n' "$bold" "$shown" "$plain"
}
# Shows and runs a command. Exit status 1, nothing found, is not a failure here.
tell() {
    show "$@"
    status=0
    "$sightline" --quiet --index "$index" "$@" || status=$?
    [ "$status" -le 1 ] || exit "$status"
}
# The same, with the hits added to the page.
try() {
    show "$@"
    status=0
    "$sightline" --quiet --index "$index" "$@" --html "$page" --append || status=$?
    [ "$status" -le 1 ] || exit "$status"
}

if [ $# -gt 1 ]; then
    # One index per folder, kept for later runs.
    index=demo/index-$(printf %s "$photos" | cksum | cut -d ' ' -f 1)
    captions=$root/scripts/demo-captions.txt
    say "Indexing $photos"
else
    index=demo/index
    rm -rf "$index"
    captions=$photos/captions.jsonl
    say "Indexing $(grep -c . "$captions") sample photos with captions, and three broken files"
fi
rm -f "$page"
"$sightline" --index "$index" index "$photos" --captions "$captions"

if [ $# -gt 1 ]; then
    say 'Six searches by words'
    for words in 'people at a party' 'a dog' 'mountains and sky' 'food on a table' 'a street in the city' 'by the sea'; do
        try search "$words" -k 4
    done
    say 'Two searches by picture'
    first=$("$sightline" --quiet --index "$index" search 'a person' -k 1 --paths || true)
    second=$("$sightline" --quiet --index "$index" search 'a landscape' -k 1 --paths || true)
    third=$("$sightline" --quiet --index "$index" search 'an animal' -k 1 --paths || true)
    for picture in "$first" "$second"; do
        [ -z "$picture" ] || try search --image "$picture" -k 4
    done
    say 'Three reverse lookups: captions from a list that fit a picture'
    for picture in "$first" "$second" "$third"; do
        [ -z "$picture" ] || try captions "$picture" -k 3
    done
    say 'What is in a photo'
    [ -z "$first" ] || tell tag "$first"
else
    short=tests/data/photos
    say 'Six searches by words'
    try search 'a dog looking out of a window' -k 4
    try search 'bridge at night' -k 4
    try search 'cup of coffee' -k 4
    try search 'musicians on a stage' -k 4
    try search 'striped fish in a coral reef' -k 4
    try search 'train tracks in the mountains' -k 4
    say 'The same in other languages'
    try search '桥的夜景' -k 4
    try search 'eine Tasse Kaffee' -k 4
    try search 'un chien qui regarde par la fenêtre' -k 4
    say 'Two searches by picture'
    try search --image $short/animals/german_shepherd.jpg -k 4
    try search --image $short/people/orchestra.jpg -k 4
    say 'Three reverse lookups: captions that fit a picture'
    try captions $short/animals/panda.jpg -k 3
    try captions $short/nature/hay_bales.jpg -k 3
    try captions $short/people/photographer.jpg -k 3
    say 'What is in a photo, and where'
    tell tag $short/nature/forest_stream.jpg
    tell explain $short/animals/german_shepherd.jpg 'a dog with its tongue out'
fi

say "All results with thumbnails: $root/$page"
cat <<END

On your own photos:
  $sightline index ~/Pictures
  $sightline search "children playing in the snow"
  $sightline search --image ~/Pictures/some-photo.jpg --html similar.html
END
