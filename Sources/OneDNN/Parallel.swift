import COneDNN

/// Loops on the threads that oneDNN itself runs on.
///
/// Work is split by counts alone, never by who is free, so that results repeat.
public enum Parallel {
  /// The number of threads a loop or a kernel started from this thread gets.
  public static var threadCount: Int { Int(omp_get_max_threads()) }

  /// Sets the number of threads for loops and kernels started from this thread.
  ///
  /// - Precondition: `count` is positive.
  public static func setThreadCount(_ count: Int) {
    precondition(count > 0, "a loop needs at least one thread")
    omp_set_num_threads(Int32(count))
  }

  /// Calls `body` with neighbouring ranges that together cover `0..<count`, one for each thread.
  ///
  /// Ranges start at multiples of `grain`, so that threads do not share a cache line or a vector.
  /// `body` runs on several threads at once: what it writes for one range must not be read or
  /// written for another.
  public static func forEach(
    _ count: Int, grain: Int = 16, _ body: (Range<Int>) -> Void
  ) {
    let grains = (count + grain - 1) / grain
    if grains <= 1 {
      if count > 0 { body(0..<count) }
      return
    }
    run { thread, threads in
      let first = grains * thread / threads * grain
      let last = min(count, grains * (thread + 1) / threads * grain)
      if first < last { body(first..<last) }
    }
  }

  /// Calls `body` once for each index in `0..<count`, neighbouring indices on the same thread.
  ///
  /// For work whose result must not depend on the number of threads: cut it into a fixed number
  /// of pieces, and combine their results in order. The rule about sharing is that of
  /// ``forEach(_:grain:_:)``.
  public static func pieces(_ count: Int, _ body: (Int) -> Void) {
    if count <= 1 {
      if count == 1 { body(0) }
      return
    }
    run { thread, threads in
      for i in count * thread / threads..<count * (thread + 1) / threads { body(i) }
    }
  }

  /// Calls `body` on every thread with its number and the number of threads.
  private static func run(_ body: (_ thread: Int, _ threads: Int) -> Void) {
    withoutActuallyEscaping(body) { body in
      var body = body
      withUnsafeMutablePointer(to: &body) { pointer in
        GOMP_parallel(
          { data in
            guard let data else { return }
            let body = data.assumingMemoryBound(to: ((Int, Int) -> Void).self)
            body.pointee(Int(omp_get_thread_num()), Int(omp_get_num_threads()))
          }, pointer, 0, 0)
      }
    }
  }
}
