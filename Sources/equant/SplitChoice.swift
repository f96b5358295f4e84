import ArgumentParser
import Faces

/// Which images, on the command line.
///
/// Help shows raw values, and those of ``Split`` are the numbers of CelebA's partition.
enum SplitChoice: String, ExpressibleByArgument, CaseIterable {
  case train, validation, test

  var split: Split {
    switch self {
    case .train: .train
    case .validation: .validation
    case .test: .test
    }
  }
}
