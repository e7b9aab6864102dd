package main

import (
	"math"
	"os"
	"runtime"
)

// ballastSize is how much of the heap is only pretended. The collector runs each time the heap has doubled: a process
// with little alive and many requests collects several times a second and spends a sixth of its time on that. With this
// it doubles from a larger size. The pages are never touched, so they are no memory until garbage takes their place, and
// a heap that is large by itself is collected as it always was, which a lower frequency (GOGC) or a limit would change.
const ballastSize = 64 << 20

// holdBallast keeps the ballast until release is called. Whoever sets GOGC or GOMEMLIMIT has decided otherwise.
func holdBallast() (release func()) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" || math.MaxInt == math.MaxInt32 {
		return func() {}
	}
	ballast := make([]byte, ballastSize)
	return func() { runtime.KeepAlive(ballast) }
}
