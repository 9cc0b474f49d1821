// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

func mount(string) error { return errSkipped }

func unmount(string) error { return nil }

func allocateAll(string) error { return errSkipped }
