internal import Dispatch
public import Files
internal import Foundation
internal import Images
internal import Synchronization

/// Drawn portraits: a stand-in for CelebA's photographs, in CelebA's own layout.
///
/// Every attribute that can be seen is drawn; `Attractive` never is. Pose, light, skin tone, place
/// and clothes vary from row to row and depend on no attribute.
public enum Portraits {
  /// How portraits are drawn.
  public struct Options: Hashable, Sendable {
    /// Decides everything that the attributes leave open.
    public var seed: UInt64
    /// Pixels across; CelebA's aligned pictures have 178.
    public var width: Int
    /// Pixels down; CelebA's aligned pictures have 218.
    public var height: Int
    /// The JPEG quality, from 1 to 100.
    public var quality: Int
    /// How many threads draw; the pictures do not depend on it.
    public var threads: Int

    /// Pictures of CelebA's size; `nil` threads are as many as there are processors.
    public init(
      seed: UInt64 = 1, width: Int = 178, height: Int = 218, quality: Int = 85,
      threads: Int? = nil
    ) {
      self.seed = seed
      self.width = width
      self.height = height
      self.quality = quality
      self.threads = threads ?? ProcessInfo.processInfo.activeProcessorCount
    }

    /// The shortest and longest side a picture can have.
    public static let sides = 16...4096
  }

  /// What was done.
  public struct Summary: Hashable, Sendable {
    /// How many pictures were drawn now.
    public var drawn: Int
    /// How many were there already.
    public var kept: Int
  }

  /// Draws the people of `plan` into `folder`, in CelebA's layout.
  ///
  /// Pictures go to `img_align_celeba/`; `list_attr_celeba.txt`, `list_eval_partition.txt` and
  /// `identity_CelebA.txt` follow when all pictures are there. Drawing that was interrupted goes on
  /// where it stopped when called again in the same way. `portraits.json` tells the settings, so
  /// that two data sets are not mixed.
  ///
  /// - Parameters:
  ///   - plan: Who is drawn.
  ///   - folder: Made when it is missing.
  ///   - options: Size, seed, threads.
  ///   - progress: Called now and then, on the drawing threads but never by two at a time.
  /// - Returns: How many pictures were drawn and how many were there.
  /// - Throws: `FileError` when the folder cannot be written, holds other pictures, or the disk is
  ///   full. What was drawn till then stays and is used by the next call.
  @discardableResult
  public static func draw(
    _ plan: PortraitPlan, into folder: String, options: Options = Options(),
    progress: @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(FileError) -> Summary {
    precondition(
      Options.sides.contains(options.width) && Options.sides.contains(options.height),
      "a portrait has sides from \(Options.sides.lowerBound) to \(Options.sides.upperBound)")
    let images = "\(folder)/img_align_celeba"
    let files = PortraitFiles(folder: folder, plan: plan, options: options)
    try files.claimFolder(images)
    let summary = try drawPictures(plan.people, into: images, options, progress)
    try files.writeAnnotation()
    return summary
  }

  private struct Work {
    var next = 0
    var drawn = 0
    var kept = 0
    var failure: FileError?
  }

  private static func drawPictures(
    _ people: [PortraitPlan.Person], into images: String, _ options: Options,
    _ progress: @Sendable (Int, Int) -> Void
  ) throws(FileError) -> Summary {
    let work = Mutex(Work())
    let chunk = 32
    let workers = max(1, min(options.threads, (people.count + chunk - 1) / chunk))
    DispatchQueue.concurrentPerform(iterations: workers) { _ in
      let painter = PortraitPainter(width: options.width, height: options.height)
      let encoder = JPEGEncoder(quality: options.quality)
      while true {
        let rows = work.withLock { work -> Range<Int> in
          guard work.failure == nil else { return 0..<0 }
          let first = work.next
          work.next = min(first + chunk, people.count)
          return first..<work.next
        }
        guard !rows.isEmpty else { return }
        var kept = 0
        var failure: FileError?
        for person in people[rows] {
          let path = "\(images)/\(person.file)"
          if PortraitFiles.isComplete(path) {
            kept += 1
            continue
          }
          painter.paint(person.attributes, seed: options.seed, stream: UInt64(person.row))
          do throws(FileError) {
            try PortraitFiles.write(encoder.encode(painter.canvas), to: path)
          } catch {
            failure = error
            break
          }
        }
        work.withLock { work in
          if let failure {
            work.failure = work.failure ?? failure
            return
          }
          work.kept += kept
          work.drawn += rows.count - kept
          progress(work.kept + work.drawn, people.count)
        }
      }
    }
    let done = work.withLock { $0 }
    if let failure = done.failure { throw failure }
    return Summary(drawn: done.drawn, kept: done.kept)
  }
}
