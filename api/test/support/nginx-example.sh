# nginx-example.sh PROGRAM FOLDER: runs nginx with FOLDER/nginx.conf until stdin closes, that is until the parent
# process (nginx-example.ts) ends.
"$1" -p "$2" -c "$2/nginx.conf" -e stderr &
nginx=$!
cat > /dev/null
kill "$nginx"
wait "$nginx"
