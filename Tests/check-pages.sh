#!/usr/bin/env bash
# Checks README, CONTRIBUTING and the catalogue's pages: links, anchors, reachability, cited design sections, sizes.
#
#   Tests/check-pages.sh               prints a line for each check: "passed" or "failed", a tab, its name
#   Tests/check-pages.sh --self-test   runs the checks on broken pages, where each must fail
#
# The status is 0 if all passed. It needs no network and no program.

set -euo pipefail

self="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/$(basename "${BASH_SOURCE[0]}")"
root="$(cd "$(dirname "$self")/.." && pwd)"
catalogue=Sources/mile-dist/mile-dist.docc
most_lines=180
most_bytes=14000

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
failed=0

# Prints the result of the check $1, which failed if the file $2 has lines.
result() {
    if [[ -s "$2" ]]; then
        printf 'failed\tpages: %s: %s\n' "$1" "$(paste -sd ';' "$2" | sed 's/;/; /g')"
        failed=1
    else
        printf 'passed\tpages: %s\n' "$1"
    fi
}

# The anchors of all headings, as forges make them: the page, a tab, the anchor.
anchors() {
    awk '
        FNR == 1 { fenced = 0; split("", seen) }
        /^ *```/ { fenced = !fenced; next }
        !fenced && /^#+ / {
            text = tolower($0)
            sub(/^#+ +/, "", text)
            gsub(/\]\([^)]*\)/, "", text)
            gsub(/[^a-z0-9 _-]/, "", text)
            gsub(/ /, "-", text)
            count = seen[text]++
            print FILENAME "\t" text (count ? "-" count : "")
        }' "$@"
}

# The links outside of code: page, line, target, path of the file from here, anchor; a tab between them. A path that leaves this folder
# begins with "..".
links() {
    awk '
        function resolved(page, path,   count, i, parts, depth, kept, result) {
            if (path == "") return page
            if (page ~ /\//) { sub(/\/[^\/]*$/, "", page); path = page "/" path }
            count = split(path, parts, "/")
            depth = 0
            for (i = 1; i <= count; i++) {
                if (parts[i] == "." || parts[i] == "") continue
                if (parts[i] == ".." && depth > 0 && kept[depth] != "..") depth--
                else kept[++depth] = parts[i]
            }
            for (i = 1; i <= depth; i++) result = result (i > 1 ? "/" : "") kept[i]
            return result
        }
        FNR == 1 { fenced = 0 }
        /^ *```/ { fenced = !fenced; next }
        fenced { next }
        {
            text = $0
            gsub(/`[^`]*`/, "", text)
            while (match(text, /\]\([^)]*\)/)) {
                target = substr(text, RSTART + 2, RLENGTH - 3)
                text = substr(text, RSTART + RLENGTH)
                if (target ~ /^(https?:|mailto:)/) continue
                path = target; sub(/#.*/, "", path)
                anchor = target; if (!sub(/^[^#]*#/, "", anchor)) anchor = ""
                print FILENAME "\t" FNR "\t" target "\t" (target ~ /^\// ? ".." : resolved(FILENAME, path)) "\t" anchor
            }
        }' "$@"
}

check_links() {
    local page line target file anchor
    anchors "${pages[@]}" >"$folder/anchors"
    links "${pages[@]}" >"$folder/links"
    cut -f 1,4 "$folder/links" >"$folder/edges"
    : >"$folder/broken"
    while IFS=$'\t' read -r page line target file anchor; do
        if [[ "$file" == ..* || ! -e "$file" ]]; then
            printf '%s\tline %s: %s: there is no such file\n' "$page" "$line" "$target" >>"$folder/broken"
        elif [[ -n "$anchor" ]] && ! grep -qxF -- "$file"$'\t'"$anchor" "$folder/anchors"; then
            printf '%s\tline %s: %s: there is no such heading\n' "$page" "$line" "$target" >>"$folder/broken"
        fi
    done <"$folder/links"
    for page in "${pages[@]}"; do
        awk -F '\t' -v page="$page" '$1 == page { print $2 }' "$folder/broken" >"$folder/problems"
        result "links of $page" "$folder/problems"
    done
}

# Paths of this repository that pages name in code: page, line, path; a tab between them.
named_paths() {
    awk '
        FNR == 1 { fenced = 0 }
        /^ *```/ { fenced = !fenced; next }
        fenced { next }
        {
            text = $0
            while (match(text, /`(Sources|Tests|configs|cluster)\/[^` *<]*`/)) {
                print FILENAME "\t" FNR "\t" substr(text, RSTART + 1, RLENGTH - 2)
                text = substr(text, RSTART + RLENGTH)
            }
        }' "$@"
}

check_named_paths() {
    local page line path
    : >"$folder/problems"
    while IFS=$'\t' read -r page line path; do
        [[ -e "$path" ]] || echo "$page:$line: there is no $path" >>"$folder/problems"
    done < <(named_paths "${pages[@]}")
    result "files that pages name exist" "$folder/problems"
}

# Every page can be reached from the README by links between pages.
check_reachable() {
    local before=-1 page
    echo README.md >"$folder/reached"
    while (($(wc -l <"$folder/reached") != before)); do
        before="$(wc -l <"$folder/reached")"
        awk -F '\t' 'NR == FNR { reached[$1]; next } $1 in reached { print $2 }' "$folder/reached" "$folder/edges" |
            cat - "$folder/reached" | sort -u >"$folder/next"
        mv "$folder/next" "$folder/reached"
    done
    : >"$folder/problems"
    for page in "${pages[@]}"; do
        grep -qxF -- "$page" "$folder/reached" || echo "no link leads to $page" >>"$folder/problems"
    done
    result "every page can be reached" "$folder/problems"
    : >"$folder/problems"
    for page in "$catalogue"/*.md; do
        [[ "$page" == "$catalogue/mile-dist.md" ]] ||
            grep -qxF -- "$catalogue/mile-dist.md"$'\t'"$page" "$folder/edges" ||
            echo "mile-dist.md does not list $(basename "$page")" >>"$folder/problems"
    done
    result "the first page lists every page" "$folder/problems"
}

# Comments cite "design section N", with a heading in quotes where they mean a part of it.
check_citations() {
    local file line number heading
    : >"$folder/problems"
    : >"$folder/citations"
    grep -rnoE --include='*.swift' --include='*.h' --include='*.c' --include='*.cpp' --include='*.py' --include='*.sh' \
        --exclude=check-pages.sh -i 'design,? section [0-9]+(, "[^"]*")?' Sources Tests cluster configs \
        >"$folder/citations" 2>/dev/null || true
    if ! [[ -s "$folder/citations" ]]; then echo "no citation of the design was found" >>"$folder/problems"; fi
    while IFS=: read -r file line heading; do
        number="$(sed -E 's/^[^0-9]*([0-9]+).*/\1/' <<<"$heading")"
        grep -qE "^## $number\. " "$catalogue/Design.md" 2>/dev/null ||
            echo "$file:$line cites design section $number, which Design.md does not have" >>"$folder/problems"
        [[ "$heading" == *\"* ]] || continue
        heading="$(sed -E 's/^[^"]*"([^"]*)"$/\1/' <<<"$heading")"
        grep -qixE "#{2,4} +$heading" "$catalogue/Design.md" ||
            echo "$file:$line cites \"$heading\", which is no heading of Design.md" >>"$folder/problems"
    done <"$folder/citations"
    result "cited design sections exist" "$folder/problems"
    : >"$folder/problems"
    grep -rnE --include='*.swift' --include='*.h' --include='*.sh' --exclude=check-pages.sh '\bdesign\.md\b' Sources Tests cluster configs \
        >"$folder/problems" 2>/dev/null || true
    result "no comment cites a file that is not here" "$folder/problems"
}

check_sizes() {
    local lines bytes
    : >"$folder/problems"
    lines="$(wc -l <README.md)"
    bytes="$(wc -c <README.md)"
    ((lines <= most_lines)) || echo "$lines lines, at most $most_lines" >>"$folder/problems"
    ((bytes <= most_bytes)) || echo "$bytes bytes, at most $most_bytes" >>"$folder/problems"
    result "the README is short" "$folder/problems"
    # Words that a reader searches for.
    : >"$folder/problems"
    for word in MFU "gradient accumulation" "data parallel" straggler "mixed precision" ZeRO-1 all-gather reduce-scatter \
        "activation checkpointing" matmul; do
        grep -qi -- "$word" README.md || echo "\"$word\" is missing" >>"$folder/problems"
    done
    result "the README has the field's search terms" "$folder/problems"
}

# Each page begins with its title and one paragraph, which DocC shows in lists; code blocks end.
check_form() {
    local page
    : >"$folder/problems"
    for page in "$catalogue"/*.md; do
        awk -v page="$(basename "$page")" '
            NR == 1 && !/^# / { print page ": no title in the first line" }
            NR == 3 && !/^[A-Z0-9]/ { print page ": no summary in the third line" }
            /^ *```/ { fenced = !fenced }
            !fenced && NR > 1 && /^# / { print page ": a second title in line " NR }
            /[^ -~]/ { print page ": line " NR " is not ASCII" }
            END { if (fenced) print page ": a code block has no end" }' "$page" >>"$folder/problems"
    done
    result "form of the pages" "$folder/problems"
}

# The table of modules in Architecture.md has every module of Package.swift, and no other.
check_modules() {
    : >"$folder/problems"
    sed -nE 's/^ +module\("(\w+)",.*/\1/p; /^ +module\($/ { n; s/^ +"(\w+)",.*/\1/p }' Package.swift | sort >"$folder/modules"
    sed -nE '/^\| module \|/,/^$/ s/^\| (`[^|]*`) \|.*/\1/p' "$catalogue/Architecture.md" | grep -oE '\w[A-Za-z0-9]*' |
        sort >"$folder/named"
    comm -23 "$folder/modules" "$folder/named" | sed 's/^/Architecture.md lacks the module /' >>"$folder/problems"
    comm -13 "$folder/modules" <(sort "$folder/named") | sed 's/.*/Architecture.md names &, which is no module/' |
        grep -v '[^A-Za-z]mile, \|[^A-Za-z]dist, ' >>"$folder/problems" || true
    result "modules are those of Package.swift" "$folder/problems"
}

check_all() {
    pages=(README.md CONTRIBUTING.md "$catalogue"/*.md)
    check_links
    check_named_paths
    check_reachable
    check_citations
    check_modules
    check_sizes
    check_form
    ((failed == 0))
}

# Copies the pages into $folder/copy, with a file that cites sections, and runs the command $1 there.
copy_pages() {
    local path copy="$folder/copy"
    rm -rf "$copy"
    mkdir -p "$copy/Tests" "$copy/Sources/mile-dist"
    cp -r README.md CONTRIBUTING.md LICENSE Dockerfile Makefile Package.swift configs cluster "$copy"
    cp -r "$catalogue" "$copy/Sources/mile-dist"
    # Files that pages name, empty.
    named_paths README.md CONTRIBUTING.md "$catalogue"/*.md | cut -f 3 | while read -r path; do
        if [[ -f "$path" && ! -e "$copy/$path" ]]; then
            mkdir -p "$(dirname "$copy/$path")"
            touch "$copy/$path"
        elif [[ -d "$path" ]]; then
            mkdir -p "$copy/$path"
        fi
    done
    echo '// Cites design section 2, and design section 5, "Resume".' >"$copy/Tests/Example.swift"
    (cd "$copy" && bash -euo pipefail -c "$1")
}

# Breaks a copy of the pages in every way, and expects every failure and no other.
self_test() {
    local pattern name status=0 page="$catalogue/Tokenizers.md"
    copy_pages true
    if MILE_PAGES_ROOT="$folder/copy" "$self" >"$folder/output"; then
        printf 'passed\tcheck-pages.sh: whole pages pass\n'
    else
        printf 'failed\tcheck-pages.sh: whole pages pass: %s\n' "$(grep -m 1 '^failed' "$folder/output" | tr '\t' ' ')"
        failed=1
    fi
    copy_pages "
        # The README's words go first: what is appended below has some of them.
        sed -i 's/[Ss]traggler/laggard/g' README.md
        for line in {1..200}; do echo 'Much text.' >>README.md; done
        echo '[x](Nowhere.md), and in code \`[x](Elsewhere.md)\`' >>$page
        echo '[x](Performance.md#no-such-heading)' >>$catalogue/YourData.md
        printf '# Alone\n\nNobody leads here.\n' >$catalogue/Alone.md
        echo '// Cites design section 99. See design.md.' >>Tests/Example.swift
        echo '// Cites design section 5, \"Nothing\".' >>Tests/Example.swift
        echo 'See \`Sources/Nowhere.swift\`.' >>$catalogue/Glossary.md
        sed -i 's/^| \`Planning\`/| \`Plans\`/' $catalogue/Architecture.md
        echo '\`\`\`' >>$catalogue/Studies.md"
    MILE_PAGES_ROOT="$folder/copy" "$self" >"$folder/output" || status=$?
    while IFS='|' read -r name pattern; do
        if ((status == 1)) && grep -qE "^failed"$'\t'"pages: $pattern" "$folder/output"; then
            printf 'passed\tcheck-pages.sh: %s\n' "$name"
        else
            printf 'failed\tcheck-pages.sh: %s: status %s, and no line "%s"\n' "$name" "$status" "$pattern"
            failed=1
        fi
    done <<END
a link to no file is found|links of $page: line [0-9]+: Nowhere.md: there is no such file$
a link to no heading is found|links of $catalogue/YourData.md: line [0-9]+: Performance.md#no-such-heading: there is no such heading$
a named file that is not there is found|files that pages name exist: $catalogue/Glossary.md:[0-9]+: there is no Sources/Nowhere.swift$
a page that nothing leads to is found|every page can be reached: no link leads to $catalogue/Alone.md$
a page that is not listed is found|the first page lists every page: mile-dist.md does not list Alone.md$
a section that is not there is found|cited design sections exist: .*cites design section 99
a heading that is not there is found|cited design sections exist: .*cites "Nothing"
a file that is not there is found|no comment cites a file that is not here: Tests/Example.swift
a module without a row is found|modules are those of Package.swift: Architecture.md lacks the module Planning; Architecture.md names Plans
a long README is found|the README is short: [0-9]+ lines
a missing search term is found|the README has the field's search terms: "straggler" is missing$
a code block without an end is found|form of the pages: Studies.md: a code block has no end$
END
    # Twelve faults; two of them are problems of one check.
    if (($(grep -c '^failed' "$folder/output") == 11)); then
        printf 'passed\tcheck-pages.sh: nothing else fails\n'
    else
        printf 'failed\tcheck-pages.sh: nothing else fails: %s\n' "$(grep '^failed' "$folder/output" | tr '\t\n' ' ;')"
        failed=1
    fi
    ((failed == 0))
}

cd "${MILE_PAGES_ROOT:-$root}"
case "${1:-}" in
    "") check_all ;;
    --self-test) self_test ;;
    *)
        echo "usage: $0 [--self-test]" >&2
        exit 2
        ;;
esac
