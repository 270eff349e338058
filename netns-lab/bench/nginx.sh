# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# nginx.sh: nginx as Sluice is compared with it, for benchmarks and tests. Who sources it has set
# work, a directory that nginx may fill, before it calls anything.
# Entry point: launch_nginx. Not here: waiting for it, and its end.
# shellcheck disable=SC2154 # work

# generate_nginx_conf: $work/nginx.conf, with the servers that stdin describes.
generate_nginx_conf() {
	local servers
	servers=$(cat)
	mkdir -p "$work/nginx"
	cat >"$work/nginx.conf" <<-EOF
		daemon off;
		user root;
		worker_processes 2;
		pid $work/nginx.pid;
		error_log $work/nginx-error.log;
		events { worker_connections 4096; }
		http {
			access_log off;
			sendfile on;
			tcp_nopush on;
			open_file_cache max=1000 inactive=1h;
			open_file_cache_valid 1h;
			keepalive_requests 1000000000;
			keepalive_timeout 1h;
			send_timeout 1h;
			default_type text/html;
			client_body_temp_path $work/nginx/body;
			proxy_temp_path $work/nginx/proxy;
			fastcgi_temp_path $work/nginx/fastcgi;
			uwsgi_temp_path $work/nginx/uwsgi;
			scgi_temp_path $work/nginx/scgi;
			$servers
		}
	EOF
}

# launch_nginx COMMAND...: runs nginx by that command, which gets its command line as last arguments;
# stdin describes the servers.
launch_nginx() {
	generate_nginx_conf
	"$@" nginx -e "$work/nginx-error.log" -c "$work/nginx.conf"
}
