get() { /usr/bin/curl -q -sS -m 20 --noproxy '*' "$@"; }
get http://files.example.com/a
get http://203.0.113.9:8080/b
get http://files.example.com:81/ 2>/dev/null; [ $? -eq 7 ] && echo other port refused
get http://other.example.com/ 2>/dev/null; [ $? -eq 6 ] && echo other name unknown
get http://203.0.113.8/ 2>/dev/null; [ $? -eq 7 ] && echo other address refused
