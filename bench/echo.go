// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// echoCommand runs this program as a server that answers every launch with the same answer: what transport alone costs.
const echoCommand = "echo"

// echoServer answers with what a sidecar once answered.
type echoServer struct {
	pb.UnimplementedLaunchServiceServer
	answer *pb.ValidateLaunchResponse
}

func (s *echoServer) ValidateLaunch(context.Context, *pb.ValidateLaunchRequest) (*pb.ValidateLaunchResponse, error) {
	return s.answer, nil
}

// echo serves on a socket in a directory, with the answer that lies there, until ctx ends. The server is set up as the
// sidecar's.
func echo(ctx context.Context, directory string) error {
	debug.SetGCPercent(400)
	text, err := os.ReadFile(filepath.Join(directory, "answer"))
	if err != nil {
		return err
	}
	answer := &pb.ValidateLaunchResponse{}
	if err := proto.Unmarshal(text, answer); err != nil {
		return err
	}
	listener, err := net.Listen("unix", filepath.Join(directory, "echo.sock"))
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.MaxConcurrentStreams(256), grpc.NumStreamWorkers(64))
	pb.RegisterLaunchServiceServer(server, &echoServer{answer: answer})
	go func() {
		<-ctx.Done()
		server.Stop()
	}()
	return server.Serve(listener)
}

// echoProcess is a running echo server.
type echoProcess struct {
	command    *exec.Cmd
	connection *grpc.ClientConn
	launches   pb.LaunchServiceClient
}

func (b *bench) startEcho(ctx context.Context, answer *pb.ValidateLaunchResponse) (*echoProcess, error) {
	directory, err := os.MkdirTemp(b.directory, "echo")
	if err != nil {
		return nil, err
	}
	text, err := proto.Marshal(answer)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(directory, "answer"), text, 0o600); err != nil {
		return nil, err
	}
	own, err := os.Executable()
	if err != nil {
		return nil, err
	}
	e := &echoProcess{command: exec.Command(own, echoCommand, directory)}
	e.command.Stderr = os.Stderr
	if err := e.command.Start(); err != nil {
		return nil, err
	}
	e.connection, err = grpc.NewClient("unix://"+filepath.Join(directory, "echo.sock"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, errors.Join(err, e.stop())
	}
	e.launches = pb.NewLaunchServiceClient(e.connection)
	limited, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if _, err := e.launches.ValidateLaunch(limited, &pb.ValidateLaunchRequest{}, grpc.WaitForReady(true)); err != nil {
		return nil, errors.Join(fmt.Errorf("echo server: %w", err), e.stop())
	}
	return e, nil
}

func (e *echoProcess) stop() error {
	var err error
	if e.connection != nil {
		err = e.connection.Close()
	}
	err = errors.Join(err, e.command.Process.Signal(syscall.SIGTERM))
	ended := make(chan error, 1)
	go func() { ended <- e.command.Wait() }()
	select {
	case failure := <-ended:
		return errors.Join(err, failure)
	case <-time.After(stopTimeout):
		return errors.Join(err, e.command.Process.Kill(), <-ended)
	}
}
