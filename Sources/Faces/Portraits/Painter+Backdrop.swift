import Images

extension PortraitPainter {
  /// A place out of focus: a wall, a sky with lamps, or a room's coarse patches of colour.
  func paintBackdrop() {
    let luck = sitter.luck
    let colors = luck.backdrop.map { SIMD4<Float>(SIMD4($0, 1)) }
    let kind = luck.choice[8]
    let (width, height) = (small.width, small.height)
    let mottling: Float = kind < 0.35 ? 0.04 : kind < 0.6 ? 0.3 : 0.12
    let start = luck.mottle
    let clouds = Noise.shared.clouds
    small.withPixels { pixels in
      for j in 0..<height {
        let v = Float(j) / Float(height - 1)
        for i in 0..<width {
          let u = Float(i) / Float(width - 1)
          let top = colors[0] + (colors[1] - colors[0]) * u
          let bottom = colors[2] + (colors[3] - colors[2]) * u
          var color = top + (bottom - top) * v
          let cloud = clouds[(start &+ j * 2 * 64 &+ i * 2) & 4095]
          color *= 1 + mottling * cloud
          pixels[j * width + i] = pixel(color * 255)
        }
      }
    }
    let size = Point(Double(canvas.width), Double(canvas.height))
    canvas.replaceAll(.picture(small, scale: size / Point(Double(width), Double(height))))
    guard kind > 0.72 else { return }
    for (place, radius, color) in luck.lamps.prefix(kind > 0.86 ? 9 : 5) {
      canvas.circle(place * size, radius: radius * size.x)
      canvas.fill(.color(color, alpha: 0.22))
    }
  }
}
