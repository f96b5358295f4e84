// swift-tools-version: 6.2
import PackageDescription

// Native libraries that no system package offers live in `.deps`, filled by `make deps`.
let deps = Context.environment["DEPS_PREFIX"] ?? Context.packageDirectory + "/.deps"
let rpath: LinkerSetting = .unsafeFlags(["-Xlinker", "-rpath", "-Xlinker", "\(deps)/lib"])

/// Loops over pixels, weights and rows: optimised in debug builds too, or tests take minutes.
///
/// SwiftPM takes no flags of its own choosing from a package that another one fetched.
let isFetched = Context.packageDirectory.contains("/checkouts/")
let fast: [SwiftSetting] =
  isFetched ? [] : [.unsafeFlags(["-O"], .when(configuration: .debug))]

func library(_ name: String, _ header: String, apt: String, brew: String) -> Target {
  .systemLibrary(
    name: name, path: "Sources/C/\(name)", pkgConfig: "\(deps)/lib/pkgconfig/\(header).pc",
    providers: [.apt([apt]), .brew([brew])])
}

func tests(_ room: String, _ others: Target.Dependency..., resources: [Resource]? = nil) -> Target {
  .testTarget(
    name: "\(room)Tests", dependencies: [.init(stringLiteral: room), "TestSupport"] + others,
    resources: resources, swiftSettings: fast)
}

let protobuf: Target.Dependency = .product(name: "SwiftProtobuf", package: "swift-protobuf")
let sqlite: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let numerics: Target.Dependency = .product(name: "Numerics", package: "swift-numerics")

/// EQUANT_DASHBOARD=0 leaves `equant serve` out, whose web server takes as long to build as half of
/// the rest.
let dashboard: [Target.Dependency] =
  Context.environment["EQUANT_DASHBOARD"] == "0" ? [] : ["Dashboard"]

let package = Package(
  name: "equant",
  platforms: [.macOS(.v26)],
  products: [
    .executable(name: "equant", targets: ["equant"]),
    .library(name: "Fairness", targets: ["Fairness"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-numerics", from: "1.1.1"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(
      url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
  ],
  targets: [
    // 0: C libraries, no Swift
    library("COneDNN", "onednn", apt: "libgomp1", brew: "onednn"),
    library("CTurboJPEG", "turbojpeg", apt: "libturbojpeg0-dev", brew: "jpeg-turbo"),
    library("CCairo", "cairo", apt: "libcairo2-dev", brew: "cairo"),
    .target(
      name: "CPlotly", path: "Sources/C/CPlotly",
      cSettings: [.define("PLOTLY_FILE", to: "\"\(deps)/share/plotly.min.js\"")]),

    // 1: plain values
    // Without Foundation nothing else asks for the C library's `floor` and `sqrt`.
    .target(
      name: "Fairness", swiftSettings: fast,
      linkerSettings: [.linkedLibrary("m", .when(platforms: [.linux]))]),
    .target(name: "Files", swiftSettings: fast),
    .target(name: "Tensors", swiftSettings: fast),

    // beside all others: what was run, and a page over it
    .target(name: "Store", dependencies: [sqlite]),
    .target(
      name: "Dashboard",
      dependencies: [
        "Store", .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
      ],
      resources: ["dashboard.html", "dashboard.css", "dashboard.js"].map {
        .embedInCode("Resources/\($0)")
      }),

    // 2: one thing each
    .target(name: "OneDNN", dependencies: ["COneDNN", "Tensors"], linkerSettings: [rpath]),
    .target(
      name: "Images", dependencies: ["CTurboJPEG", "CCairo", "Files", "Tensors"],
      swiftSettings: fast),
    .target(
      name: "Graphs", dependencies: ["Files", "Tensors", protobuf], exclude: ["onnx.proto"],
      swiftSettings: fast),
    .target(name: "Predictions", dependencies: ["Fairness", "Files"], swiftSettings: fast),

    // 3: faces, and graphs that run
    .target(
      name: "Faces", dependencies: ["Files", "Images", "Tensors"],
      resources: [.embedInCode("Resources/annotation-model.json")], swiftSettings: fast),
    .target(
      name: "Execution", dependencies: ["OneDNN", "Graphs", "Tensors", numerics],
      swiftSettings: fast),

    // 4 to 8: what is done with them
    .target(
      name: "Training",
      dependencies: [
        "Execution", "Faces", "Fairness", "Files", "Graphs", "OneDNN", "Predictions", "Tensors",
      ],
      swiftSettings: fast),
    .target(
      name: "Compression",
      dependencies: [
        "Training", "Execution", "Faces", "Fairness", "Files", "Graphs", "OneDNN", "Tensors",
      ],
      swiftSettings: fast),
    .target(
      name: "Study",
      dependencies: [
        "Compression", "Training", "Execution", "Faces", "Fairness", "Files", "Graphs", "OneDNN",
        "Predictions", "Tensors",
      ]),
    .target(
      name: "Reports",
      dependencies: [
        "CPlotly", "Study", "Compression", "Fairness", "Files", "Graphs", "Images", "Predictions",
        "Tensors", "Training",
      ],
      resources: [
        "page.html", "page.css", "core.js", "tables.js", "charts.js", "gaps.js", "threshold.js",
        "frontier.js", "flips.js", "training.js", "files.js", "sections.js", "glossary.html",
      ].map { .embedInCode("Resources/\($0)") }),
    .executableTarget(
      name: "equant",
      dependencies: dashboard + [
        "Reports", "Store", "Study", "Compression", "Training", "Execution", "Faces",
        "Fairness", "Files", "Graphs", "Images", "OneDNN", "Predictions", "Tensors",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ], resources: [.embedInCode("Resources/verify.py")],
      swiftSettings: dashboard.isEmpty ? [] : [.define("DASHBOARD")]),

    // Tests
    .target(name: "TestSupport", path: "Tests/TestSupport"),
    .target(
      name: "GraphReference", dependencies: ["Graphs", "Tensors"], path: "Tests/GraphReference",
      swiftSettings: fast),
    .target(
      name: "ColourTask", dependencies: ["Faces", "Files", "Images", "Tensors", "TestSupport"],
      path: "Tests/ColourTask", swiftSettings: fast),
    tests("Store", sqlite),
    tests("Dashboard", "Store"),
    tests("Fairness", resources: [.copy("Golden")]),
    tests("Files"),
    tests("Tensors"),
    tests("OneDNN", "Tensors"),
    tests("Images", "Files", resources: [.copy("Golden")]),
    tests("Graphs", "GraphReference", "Files", "Tensors", resources: [.copy("Golden")]),
    tests("Predictions", "Fairness", "Files"),
    tests("Faces", "Files", "Images", "Tensors", resources: [.copy("Golden")]),
    tests(
      "Execution", "GraphReference", "Graphs", "OneDNN", "Tensors", resources: [.copy("Golden")]),
    tests(
      "Training", "ColourTask", "GraphReference", "Execution", "Faces", "Fairness", "Files",
      "Graphs",
      "Predictions", "Tensors", resources: [.copy("Golden")]),
    tests(
      "Compression", "GraphReference", "Training", "Execution", "Faces", "Files", "Graphs",
      "Images", "Tensors", resources: [.copy("Golden")]),
    tests("Study", "Fairness", "Files"),
    tests("Reports", "Study", "Fairness", "Files", "Predictions"),
    .testTarget(
      name: "CommandTests",
      dependencies: ["equant", "ColourTask", "Files", "Graphs", "TestSupport"]),
  ]
)

// `EQUANT_ROOMS=Fairness,Tensors swift test` builds and tests only these rooms and what is below them.
if let rooms = Context.environment["EQUANT_ROOMS"]?.split(separator: ",").map(String.init) {
  var wanted = Set(rooms + rooms.map { "\($0)Tests" })
  while true {
    let below = package.targets.filter { wanted.contains($0.name) }.flatMap { target in
      target.dependencies.compactMap { dependency in
        switch dependency {
        case .byNameItem(let name, _), .targetItem(let name, _): name
        default: nil as String?
        }
      }
    }
    if wanted.isSuperset(of: below) { break }
    wanted.formUnion(below)
  }
  package.targets.removeAll { !wanted.contains($0.name) }
  package.products.removeAll()
}

for target in package.targets where [.regular, .executable, .test].contains(target.type) {
  var settings = target.swiftSettings ?? []
  settings += [
    "ExistentialAny", "InternalImportsByDefault", "MemberImportVisibility",
    "NonisolatedNonsendingByDefault",
  ].map { .enableUpcomingFeature($0) }
  if Context.environment["CI"] != nil { settings.append(.treatAllWarnings(as: .error)) }
  target.swiftSettings = settings
}
