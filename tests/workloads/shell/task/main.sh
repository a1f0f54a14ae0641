# What a build or maintenance script commonly does. What it prints is checked.
set -euo pipefail
cd /workspace
cat > words <<END
one
two
three
END
echo "words $(grep -c . < words)"
mkdir -p tree && cp words tree/a && ln -s a tree/b && chmod 600 tree/a
tar -czf tree.tgz -C tree a b && mkdir out && tar -xzf tree.tgz -C out
echo "archive $(ls out | sort | xargs)"
printf '1\n2\n3\n' | awk '{ s += $1 } END { print "awk", s }'
sed 's/two/2/' words > new
diff -u words new > change || grep -q '^+2$' change && ! cmp -s words new && echo changed
printf '#!/bin/sh\necho script ran\n' > script && chmod +x script && ./script
printf '#!/usr/bin/env sh\necho env ok\n' > script && ./script
find . -type f -name 'a' -exec sha256sum {} + | cut -c1-8 > sums
test "$(stat -c %a tree/a)" = 600
mv new old && rm -r out && [ ! -e new ] && touch "$(mktemp -p .)"
