#!/usr/bin/env bash
# Builds the pages of the catalogue as a static site with the toolchain's docc, without network and without the program.
#
#   Tests/build-docs.sh [DIRECTORY]      .build/docs unless given
#
# The pages link to each other by file names, so that forges show them. DocC has links of its own: a copy of the catalogue gets those.
# Links to files outside the catalogue become plain words. A link that DocC cannot follow is an error.

set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
output="$(realpath -m "${1:-$root/.build/docs}")"
# It is replaced as a whole.
if [[ -e "$output" && ! -d "$output/documentation/mile-dist" && -n "$(ls -A "$output")" ]]; then
    echo "build-docs: $output holds other files; name a new or an empty directory" >&2
    exit 2
fi
cd "$root/Sources/mile-dist/mile-dist.docc"

# docc lies beside swift, where it is not on PATH.
docc="$(command -v docc || echo "$(dirname "$(readlink -f "$(command -v swift)")")/docc")"
if ! [[ -x "$docc" ]]; then
    echo "build-docs: there is no docc on PATH nor beside swift; Swift's toolchains for Linux have it" >&2
    exit 1
fi

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/mile-dist.docc"

# The headings of all pages: page, a forge's anchor, DocC's.
awk '
    FNR == 1 { fenced = 0; split("", seen) }
    /^ *```/ { fenced = !fenced; next }
    !fenced && /^#+ / {
        text = $0
        sub(/^#+ +/, "", text)
        gsub(/\]\([^)]*\)/, "", text)
        anchor = tolower(text)
        gsub(/[^a-z0-9 _-]/, "", anchor)
        gsub(/ /, "-", anchor)
        count = seen[anchor]++
        gsub(/[^A-Za-z0-9 ._-]/, "", text)
        gsub(/ /, "-", text)
        print FILENAME "\t" anchor (count ? "-" count : "") "\t" text
    }' ./*.md | sed 's|^\./||' >"$folder/headings"

for page in *.md; do
    awk -v page="$page" -F '\t' '
        # A link for DocC, or only its words.
        function link(text, target,   file, anchor) {
            if (target ~ /^(https?:|mailto:)/) return "[" text "](" target ")"
            file = target; sub(/#.*/, "", file)
            anchor = target; if (!sub(/^[^#]*#/, "", anchor)) anchor = ""
            if (file == "") file = page
            if (file ~ /\//) return text
            sub(/\.md$/, "", file)
            return "[" text "](doc:" file (anchor == "" ? "" : "#" heading[file ".md", anchor]) ")"
        }
        function rewritten(line,   result, start, text, target) {
            while (match(line, /`[^`]*`|\[[^][]*\]\([^)]*\)/)) {
                result = result substr(line, 1, RSTART - 1)
                start = substr(line, RSTART, RLENGTH)
                line = substr(line, RSTART + RLENGTH)
                if (start ~ /^`/) { result = result start; continue }
                text = start; sub(/^\[/, "", text); sub(/\]\(.*/, "", text)
                target = start; sub(/.*\]\(/, "", target); sub(/\)$/, "", target)
                result = result link(text, target)
            }
            return result line
        }
        NR == FNR { heading[$1, $2] = $3; next }
        /^ *```/ { fenced = !fenced }
        fenced { print; next }
        # The first page: its lists are the outline of the site.
        page == "mile-dist.md" && FNR == 1 { print; print ""; print "@Metadata {"; print "    @TechnologyRoot"; print "}"; next }
        page == "mile-dist.md" && /^## / { if (!isOutline++) { print "## Topics"; print "" } print "#" $0; next }
        page == "mile-dist.md" && isOutline && /^- \[/ {
            sub(/^- \[[^]]*\]\(/, ""); sub(/\.md\).*/, ""); print "- <doc:" $0 ">"; next
        }
        { print rewritten($0) }' "$folder/headings" "$page" >"$folder/mile-dist.docc/$page"
done

# A link that was not rewritten would lead nowhere, and docc does not mind.
if grep -nE '\]\([^)]*\.md[)#]' "$folder"/mile-dist.docc/*.md | grep -v https: >"$folder/left"; then
    sed "s|$folder/|build-docs: a link that is cut by a line end, or in a block of code: |" "$folder/left" >&2
    exit 1
fi

rm -rf "$output"
mkdir -p "$(dirname "$output")"
"$docc" convert "$folder/mile-dist.docc" --output-dir "$output" --warnings-as-errors \
    --fallback-display-name mile-dist --fallback-bundle-identifier mile-dist --fallback-default-module-kind "Command-line program"
for page in *.md; do
    name="$(tr '[:upper:]' '[:lower:]' <<<"${page%.md}")"
    if [[ "$name" == mile-dist ]]; then name=""; fi
    if ! [[ -s "$output/documentation/mile-dist/${name:+$name/}index.html" ]]; then
        echo "build-docs: docc made no page of $page" >&2
        exit 1
    fi
done
printf '%s\n' "the pages are in $output" \
    "a web server shows them: python3 -m http.server -d $output, then http://localhost:8000/documentation/mile-dist/"
