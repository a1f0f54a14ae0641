set -euo pipefail
cd /workspace
# .git/hooks is a mount of its own: the directory is there before Git is, and it copies no samples into it
cd clone
git -c init.defaultBranch=main init -q --template=
git fetch -q /origin main && git reset -q --hard FETCH_HEAD
git clone -q /origin ../second
echo two >> file && git add file && git commit -qm second
echo log $(git log --format=%s)
[ -z "$(git status --porcelain)" ] && echo status clean
git checkout -q -b topic HEAD~1 && echo three > other && git add other && git commit -qm topic
git checkout -q main && git merge -q -m merge topic && [ -f other ] && echo merge ok
git gc -q && git fsck 2>/dev/null && git grep -q -P 'th\w+' && git stash list
if (echo 'echo hook ran' > .git/hooks/pre-commit) 2>/dev/null; then echo hook written; else echo hook refused; fi
echo four >> file && out=$(git commit -am fourth) && [[ $out != *'hook ran'* ]] && echo hook did not run
