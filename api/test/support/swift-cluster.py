"""swift-cluster.py DIRECTORY fast|durable PORT PORT PORT PORT PORT: runs a private OpenStack Swift on 127.0.0.1.

The S3 API listens on the first of five free ports. Prints "ready". When stdin closes, that is when the parent process
ends, even by SIGKILL, stops all servers and removes DIRECTORY.
"""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import traceback

import swift.common.db
from swift.common.ring import RingBuilder
from swift.common.utils import set_swift_dir
from swift.common.wsgi import run_wsgi

directory, durability = sys.argv[1:3]
port, memcached_port, *storage_ports = [int(argument) for argument in sys.argv[3:]]
ports = dict(zip(('account', 'container', 'object'), storage_ports))
etc = os.path.join(directory, 'etc')

# Long timeouts, since small machines under load respond late; errors are not remembered.
TIMEOUTS = 'conn_timeout = 20\nnode_timeout = 60\n'

DEFAULT = """[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {etc}
devices = {directory}/srv
mount_check = false
disable_fallocate = true
fallocate_reserve = 0
log_name = {name}
log_address = {directory}/no-syslog
"""

PROXY = """
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk s3api tempauth copy
    container-quotas slo dlo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
error_suppression_interval = 0
{timeouts}
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{memcached_port}
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
dns_compliant_bucket_names = true
allow_multipart_uploads = true
min_segment_size = 5242880
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:copy]
use = egg:swift#copy
[filter:container-quotas]
use = egg:swift#container_quotas
[filter:slo]
use = egg:swift#slo
allow_async_delete = false
[filter:dlo]
use = egg:swift#dlo
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
allow_object_versioning = true
[filter:symlink]
use = egg:swift#symlink
"""

STORAGE = """
[pipeline:main]
pipeline = {name}
[app:{name}]
use = egg:swift#{kind}
container_update_timeout = 60
{timeouts}
"""

def write(name, text):
    with open(os.path.join(etc, name), 'w') as file:
        file.write(text)

def configure():
    for folder in ('etc', 'srv/d1'):
        os.makedirs(os.path.join(directory, folder))
    write('swift.conf', '[swift-hash]\nswift_hash_path_suffix = berth\nswift_hash_path_prefix = berth\n')
    set_swift_dir(etc)
    common = {
        'user': getpass.getuser(), 'etc': etc, 'directory': directory, 'timeouts': TIMEOUTS,
        'memcached_port': memcached_port,
    }
    for kind, its_port in ports.items():
        config = (DEFAULT + STORAGE).format(port=its_port, name=kind + '-server', kind=kind, **common)
        write(kind + '-server.conf', config)
        ring = RingBuilder(4, 1, 0)
        ring.add_dev({'region': 1, 'zone': 1, 'ip': '127.0.0.1', 'port': its_port, 'device': 'd1', 'weight': 1})
        ring.rebalance()
        ring.get_ring().save(os.path.join(etc, kind + '.ring.gz'))
    write('proxy-server.conf', (DEFAULT + PROXY).format(port=port, name='proxy-server', **common))

def disable_flushing():
    os.fsync = os.fdatasync = lambda descriptor: None
    connect = swift.common.db.get_db_connection

    def connect_without_syncing(*arguments, **named):
        connection = connect(*arguments, **named)
        connection.execute('PRAGMA synchronous = OFF')
        return connection
    swift.common.db.get_db_connection = connect_without_syncing

def fork(kind):
    pid = os.fork()
    if pid:
        return pid
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        status = run_wsgi(os.path.join(etc, kind + '-server.conf'), kind + '-server')
    except BaseException:  # the child must not run the parent's clean-up
        traceback.print_exc()
        status = 1
    os._exit(status or 0)

def await_all_servers():
    # The proxy answers before the servers behind it listen; creating a bucket would fail then.
    waiting = [memcached_port, *ports.values(), port]
    for _ in range(1200):
        try:
            with socket.create_connection(('127.0.0.1', waiting[0]), timeout=5):
                waiting.pop(0)
        except OSError:
            time.sleep(0.05)
        if not waiting:
            return
    raise SystemExit('no answer within a minute')

def end(*_):
    raise SystemExit(1)

pids = []
memcached = None
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, end)
try:
    configure()
    if durability == 'fast':
        disable_flushing()
    log = open(os.path.join(directory, 'log'), 'w')
    memcached = subprocess.Popen(
        ['memcached', '-u', getpass.getuser(), '-l', '127.0.0.1', '-p', str(memcached_port), '-U', '0', '-m', '64'],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    pids = [fork(kind) for kind in (*ports, 'proxy')]
    await_all_servers()
    print('ready', flush=True)
    for line in sys.stdin:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP if line.strip() == 'freeze' else signal.SIGCONT)
finally:
    if memcached:
        memcached.kill()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(directory, ignore_errors=True)
