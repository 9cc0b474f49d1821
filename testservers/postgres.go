// SPDX-License-Identifier: Apache-2.0

package testservers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Postgres is a PostgreSQL server.
type Postgres struct {
	Port int

	t         testing.TB
	directory string
	data      string
	arguments []string
	process   *process
}

// StartPostgres makes a database cluster and starts a server on it with further arguments, such as "-c",
// "max_connections=20". The server does not wait for the disk: it is the process that tests kill, not the machine.
func StartPostgres(t testing.TB, arguments ...string) *Postgres {
	t.Helper()
	p := &Postgres{t: t, directory: directory(t, "postgres"), arguments: arguments}
	p.data = filepath.Join(p.directory, "data")
	p.run("initdb", "--pgdata="+p.data, "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync",
		"--no-instructions")
	p.begin()
	return p
}

// program returns the path of one of PostgreSQL's programs.
func (p *Postgres) program(name string) string {
	p.t.Helper()
	return find(p.t, name, "postgresql", "/usr/lib/postgresql/*/bin/"+name)
}

// run runs one of PostgreSQL's programs to its end.
func (p *Postgres) run(name string, arguments ...string) {
	p.t.Helper()
	command := exec.Command(p.program(name), arguments...)
	command.Dir = p.directory
	command.Env = append(os.Environ(), "LC_ALL=C", "HOME="+p.directory)
	confine(p.t, command)
	if output, err := command.CombinedOutput(); err != nil {
		p.t.Fatalf("%s: %v\n%s", name, err, output)
	}
}

// begin starts the server on a port that is free.
func (p *Postgres) begin() {
	p.t.Helper()
	for range portAttempts {
		p.Port = freePort(p.t)
		if p.start() {
			p.t.Cleanup(p.Stop)
			return
		}
		if !strings.Contains(p.process.log(), "already in use") {
			break
		}
	}
	p.t.Fatalf("postgres does not start:\n%s", p.process.log())
}

func (p *Postgres) start() bool {
	p.t.Helper()
	p.process = launch(p.t, p.directory, p.program("postgres"), append([]string{"-D", p.data, "-p", strconv.Itoa(p.Port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "shared_buffers=16MB"},
		p.arguments...)...)
	return p.process.ready(p.t, func(ctx context.Context) error {
		pid, err := p.query(ctx, "SELECT split_part(pg_read_file('postmaster.pid'), chr(10), 1)")
		if err == nil && pid != strconv.Itoa(p.process.command.Process.Pid) {
			return errors.New("another server has the port")
		}
		return err
	})
}

// URL returns a URL for the database postgres as the superuser postgres.
func (p *Postgres) URL() string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", p.Port)
}

// query runs one statement on a connection of its own and returns the first column of the first row as text.
func (p *Postgres) query(ctx context.Context, statement string) (text string, err error) {
	connection, err := pgx.Connect(ctx, p.URL())
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, connection.Close(ctx)) }()
	results, err := connection.PgConn().Exec(ctx, statement).ReadAll()
	if err != nil {
		return "", err
	}
	if last := results[len(results)-1]; len(last.Rows) > 0 && len(last.Rows[0]) > 0 {
		return string(last.Rows[0][0]), nil
	}
	return "", nil
}

// Do runs statements, separated by semicolons, and returns the first column of the first row of the last as text.
func (p *Postgres) Do(statements string) string {
	p.t.Helper()
	text, err := p.query(context.Background(), statements)
	if err != nil {
		p.t.Fatalf("%s: %v", statements, err)
	}
	return text
}

// StartStandby starts a server that follows this one, and waits until it streams.
func (p *Postgres) StartStandby() *Postgres {
	p.t.Helper()
	standby := &Postgres{t: p.t, directory: directory(p.t, "standby"), arguments: p.arguments}
	standby.data = filepath.Join(standby.directory, "data")
	standby.run("pg_basebackup", "--host=127.0.0.1", "--port="+strconv.Itoa(p.Port), "--username=postgres", "--pgdata="+standby.data,
		"--checkpoint=fast", "--write-recovery-conf", "--no-sync", "--wal-method=stream")
	standby.begin()
	return standby
}

// CatchUp waits until a standby of this server has replayed all that was committed here.
func (p *Postgres) CatchUp(standby *Postgres) {
	p.t.Helper()
	position := p.Do("SELECT pg_current_wal_lsn()")
	standby.Await("SELECT pg_last_wal_replay_lsn() >= '"+position+"'", "t")
}

// Await runs a statement until it returns a text.
func (p *Postgres) Await(statement, want string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for p.Do(statement) != want {
		if ctx.Err() != nil {
			p.t.Fatalf("%s does not become %s", statement, want)
		}
	}
}

// Promote makes a standby a primary.
func (p *Postgres) Promote() {
	p.t.Helper()
	p.Do("SELECT pg_promote()")
	p.Await("SELECT pg_is_in_recovery()", "f")
}

// Kill ends the server's first process at once, as kill -9 does. The others notice and end too.
func (p *Postgres) Kill() {
	p.t.Helper()
	p.process.kill(p.t)
}

// Crash kills one of the processes that serve connections. The server then ends all others and recovers, while its first
// process goes on.
func (p *Postgres) Crash() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	connection, err := pgx.Connect(ctx, p.URL())
	if err != nil {
		p.t.Fatal(err)
	}
	victim, err := os.FindProcess(int(connection.PgConn().PID()))
	if err == nil {
		err = victim.Kill()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	// The connection breaks only once the first process has noticed.
	if _, err := connection.Exec(ctx, "SELECT pg_sleep(60)"); err == nil {
		p.t.Fatal("the server did not crash")
	}
	p.process.ready(p.t, func(ctx context.Context) error {
		if strings.Count(p.process.log(), "all server processes terminated; reinitializing") == 0 {
			return errors.New("it has not begun to recover")
		}
		_, err := p.query(ctx, "SELECT 1")
		return err
	})
}

// Stop ends the server as an operator does who is in a hurry.
func (p *Postgres) Stop() {
	p.t.Helper()
	p.process.signal(p.t, syscall.SIGQUIT)
	p.process.wait(p.t)
}

// Restart starts the server again after Kill or Stop, on the same port and with the same files.
func (p *Postgres) Restart() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for !p.start() { // processes of before may still be ending
		if ctx.Err() != nil {
			p.t.Fatalf("postgres does not start again:\n%s", p.process.log())
		}
	}
}

// Backup copies the files of the server, which must have been stopped, as a snapshot of its volume does. It returns
// where they are.
func (p *Postgres) Backup() string {
	p.t.Helper()
	path := filepath.Join(p.directory, "backup")
	p.replace(path, p.data)
	return path
}

// Restore puts the files of a backup in the place of the server's. The server must have been stopped.
func (p *Postgres) Restore(backup string) {
	p.t.Helper()
	p.replace(p.data, backup)
}

func (p *Postgres) replace(target, source string) {
	p.t.Helper()
	if err := os.RemoveAll(target); err != nil {
		p.t.Fatal(err)
	}
	command := exec.Command("cp", "-a", source, target)
	confine(p.t, command)
	if output, err := command.CombinedOutput(); err != nil {
		p.t.Fatalf("copy %s: %v\n%s", source, err, output)
	}
}

// StartPooler starts PgBouncer before the server, in transaction mode, and returns a URL that goes through it.
func (p *Postgres) StartPooler() string {
	p.t.Helper()
	program := find(p.t, "pgbouncer", "pgbouncer", "/usr/sbin/pgbouncer")
	home := directory(p.t, "pgbouncer")
	for range portAttempts {
		port := freePort(p.t)
		users, settings := filepath.Join(home, "users"), filepath.Join(home, "pgbouncer.ini")
		text := fmt.Sprintf("[databases]\n* = host=127.0.0.1 port=%d\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\nauth_type = trust\nauth_file = %s\npool_mode = transaction\ndefault_pool_size = 4\n",
			p.Port, port, users)
		for path, content := range map[string]string{users: "\"postgres\" \"\"\n", settings: text} {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				p.t.Fatal(err)
			}
			give(p.t, path)
		}
		pooler := launch(p.t, home, program, settings)
		url := fmt.Sprintf("postgres://postgres@%s/postgres?sslmode=disable", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if pooler.ready(p.t, func(ctx context.Context) error {
			connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
			if err != nil {
				return err
			}
			return connection.Close()
		}) {
			p.t.Cleanup(func() { pooler.kill(p.t) })
			return url
		}
	}
	p.t.Fatal("pgbouncer does not start")
	return ""
}
