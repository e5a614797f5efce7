# Run by nginx-example.ts: nginx in the foreground, which ends with the standard input and so with whoever started it.
# $1 the program, $2 its folder with nginx.conf
"$1" -p "$2" -c "$2/nginx.conf" -e stderr &
nginx=$!
cat > /dev/null
kill "$nginx"
wait "$nginx"
