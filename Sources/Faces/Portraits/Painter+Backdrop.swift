import Images

extension PortraitPainter {
  /// A place out of focus: a wall, a sky with lamps, or a room's coarse patches of colour.
  func paintBackdrop() {
    let luck = sitter.luck
    let colors = luck.backdrop.map { SIMD4<Float>(SIMD4($0, 1)) }
    let kind = luck.choice[8]
    let (width, height) = (small.width, small.height)
    let mottling: Float = kind < 0.35 ? 0.06 : kind < 0.6 ? 0.55 : 0.2
    let start = luck.mottle
    small.withPixels { pixels in
      for j in 0..<height {
        let v = Float(j) / Float(height - 1)
        for i in 0..<width {
          let u = Float(i) / Float(width - 1)
          let top = colors[0] + (colors[1] - colors[0]) * u
          let bottom = colors[2] + (colors[3] - colors[2]) * u
          var color = top + (bottom - top) * v
          let cloud = Noise.shared.clouds[(start &+ j * 2 * 64 &+ i * 2) & 4095]
          color *= 1 + mottling * cloud
          color = (color * 255).clamped(lowerBound: .zero, upperBound: SIMD4(repeating: 255))
          pixels[j * width + i] =
            0xff00_0000 | UInt32(color.x) << 16 | UInt32(color.y) << 8 | UInt32(color.z)
        }
      }
    }
    let size = Point(Double(canvas.width), Double(canvas.height))
    canvas.fillAll(.picture(small, scale: size / Point(Double(width), Double(height))))
    guard kind > 0.72 else { return }
    for (place, radius, color) in luck.lamps.prefix(kind > 0.86 ? 9 : 5) {
      canvas.circle(place * size, radius: radius * size.x)
      canvas.fill(.color(color, alpha: 0.22))
    }
  }
}
