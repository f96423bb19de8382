// A Go program that profiles itself: a pprof file of the writer that the format is from, with
// functions that the compiler inlines.
package main

import (
	"os"
	"runtime/pprof"
	"time"
)

var sink uint64

func inlined(x uint64) uint64 { return x*6364136223846793005 + 1442695040888963407 }

//go:noinline
func heavy(until time.Time) {
	for time.Now().Before(until) {
		for i := 0; i < 10000; i++ {
			sink = inlined(sink)
		}
	}
}

//go:noinline
func light(until time.Time) {
	for time.Now().Before(until) {
		for i := 0; i < 10000; i++ {
			sink = inlined(sink) ^ 1
		}
	}
}

func main() {
	out, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	if err := pprof.StartCPUProfile(out); err != nil {
		panic(err)
	}
	start := time.Now()
	light(start.Add(500 * time.Millisecond))
	heavy(start.Add(2 * time.Second))
	pprof.StopCPUProfile()
	if err := out.Close(); err != nil {
		panic(err)
	}
}
