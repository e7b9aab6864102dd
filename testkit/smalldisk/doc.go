// Package smalldisk gives a test a disk that it can fill. It is for tests only, and for Linux.
package smalldisk
